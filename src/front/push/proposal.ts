import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import { UserError } from "../../errors.ts";
import { findProcesses, type Where } from "./app-module.ts";
import { expectNoneDeclared } from "./declared.ts";
import { readRequirements } from "./requirements.ts";
import type { CommitTree } from "./tree.ts";

export type Proposal = AgentRequest<"prepare">["proposal"];

/** What the repository asks for: what to run and what that needs. It is a proposal; the options win. */
export async function readProposal(tree: CommitTree, where: Where): Promise<Proposal> {
  const { root } = where;
  try {
    const processes = await findProcesses(tree, where);
    const requirements = await readRequirements(tree, root);
    if (requirements.length === 0) await expectNoneDeclared(tree, root);
    return { processes, root, requirements };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { code, message, hint } = error;
    return { problem: { code, message, hint } };
  }
}

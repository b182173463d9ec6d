import type { z } from "zod";
import { absentCommit, branchOf } from "../../names/names.ts";
import { expectNotProduction, expectUse } from "../deploy/branch-use.ts";
import { cancelDeploy, refuseDeploy } from "../deploy/cancel.ts";
import { prepareDeploy, startDeploy, switchDeploy } from "../deploy/deploy.ts";
import { confirmRef, judgeHolder } from "../deploy/judge.ts";
import { lockFor } from "../deploy/locks.ts";
import { prepareRemoval } from "../deploy/remove.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";
import { expectPreview } from "../instance/previews.ts";
import { destroyApp, holdApp } from "../deploy/destroy.ts";
import { reconcileAnew } from "../reconcile/reconcile.ts";
import { removePreview } from "../reconcile/sweep.ts";
import { understudiesOf } from "../instance/vassals.ts";
import { confineGit } from "./git-groups.ts";
import { pinKept } from "../converge/prune.ts";
import { UserError } from "../../errors.ts";
import type { Exchange, Verb, Verbs } from "../../protocol/channel.ts";
import { expectVariablesChange } from "../variables/variables.ts";
import { streamLog, streamRequests } from "./app-log-stream.ts";
import { measureDisk } from "./disk.ts";
import { changeVariables, createApp, setOptions } from "./apps.ts";
import {
  agentVerbs,
  type AgentVerb,
  type AgentResponse,
  type AgentRequest,
} from "../../protocol/agent-verbs.ts";
import {
  expectApp,
  expectInstance,
  findRelease,
  listDeploys,
  listOptions,
  listPreviews,
  listReleases,
  listVariables,
  readDeployLog,
  readPolicy,
  showApp,
  summarizeApps,
} from "./queries.ts";

type Answering = {
  [N in AgentVerb]: (request: AgentRequest<N>, exchange: Exchange) => Promise<AgentResponse<N>>;
};

/** Everything that the agent does when asked, and nothing else. */
export function verbsOf(context: DeployContext): Verbs {
  const answering: Answering = {
    ...deployVerbs(context),
    ...appVerbs(context),
    ...readingVerbs(context),
  };
  const verbs = Object.entries(answering).map(([name, run]): [string, Verb<unknown>] => [
    name,
    {
      input: agentVerbs[name as AgentVerb].input as z.ZodType,
      run: run as Verb<unknown>["run"],
    },
  ]);
  return Object.fromEntries(verbs);
}

type DeployVerb =
  | "start"
  | "prepare"
  | "prepareRemoval"
  | "refuse"
  | "switch"
  | "confirm"
  | "finished"
  | "policy"
  | "confine"
  | "cancel"
  | "reconcile"
  | "pinReleases";

function deployVerbs(context: DeployContext): Pick<Answering, DeployVerb> {
  return {
    start: async (request, { say }) => {
      expectApp(context, request.app);
      const deploy = await startDeploy(context, request, say);
      return { deploy: deploy.id };
    },
    prepare: async (request, { say }) => {
      if (request.variables) expectVariablesChange(request.variables);
      await prepareDeploy(context, request, say);
      return null;
    },
    prepareRemoval: async (request, { say }) => {
      expectApp(context, request.app);
      const deploy = await prepareRemoval(context, request, say);
      return { deploy: deploy?.id ?? null };
    },
    refuse: async ({ holder, ref, problem }, { say }) => {
      const reason = new UserError(problem.code, problem.message, problem);
      return { isSaid: await refuseDeploy(context, { holder, ref }, { reason, say }) };
    },
    switch: async (request) => {
      await switchProven(context, request);
      return null;
    },
    confirm: async (request, { say }) => {
      await confirmRef(context, request, say);
      return null;
    },
    finished: async ({ holder }) => {
      await judgeHolder(context, holder);
      return null;
    },
    policy: ({ app }) => {
      // Its git is put into a group in a moment.
      context.groups.announce();
      return readPolicy(context, app);
    },
    confine: async (process) => {
      await confineGit(context, process);
      return null;
    },
    cancel: async ({ app, branch, account }) => {
      const instance = expectInstance(context, app, branch);
      const { number } = await cancelDeploy(context, instance, account);
      return { number };
    },
    reconcile: () => reconcileAnew(context),
    pinReleases: async ({ app }) => {
      await pinKept(context, app);
      return null;
    },
  };
}

async function switchProven(
  context: DeployContext,
  { app, holder, ref, newCommit, verdict }: AgentRequest<"switch">,
): Promise<void> {
  const proven = context.store.deploys.provenOf(holder, ref);
  // Of a branch that is not on the air only the branch moves, or goes.
  if (verdict === "store") return expectUse(context, { app, ref, isPreview: true });
  if (proven?.newCommit === newCommit) return switchDeploy(context, proven.id);
  if (newCommit === absentCommit && !context.store.previews.of(app, branchOf(ref)))
    return expectNotProduction(context, app, ref);
  throw new UserError("PUSH_GONE", `no proven deploy of ${newCommit} waits for ${ref} any more`);
}

type AppVerb =
  "create" | "hold" | "destroy" | "setOptions" | "changeVariables" | "pinPreview" | "removePreview";

function appVerbs(context: DeployContext): Pick<Answering, AppVerb> {
  return {
    create: async ({ app }) => {
      await createApp(context, app);
      return null;
    },
    hold: async ({ app, branch, holder }, { say }) => {
      expectApp(context, app);
      if (branch === undefined) await holdApp(context, app, { holder, say });
      else await lockFor(context, expectPreview(context, app, branch).instance, { holder, say });
      return null;
    },
    destroy: async ({ app, holder }) => {
      expectApp(context, app);
      await destroyApp(context, app, holder);
      return null;
    },
    setOptions: async ({ app, set }) => {
      await setOptions(context, app, set);
      return null;
    },
    pinPreview: ({ app, branch, pinned }, { say }) => {
      expectApp(context, app);
      const { instance } = expectPreview(context, app, branch);
      context.store.previews.pin(instance, pinned);
      say(`${instance}: ${pinned ? "pinned, and kept whatever its age" : "no longer pinned"}`);
      return Promise.resolve(null);
    },
    removePreview: async ({ app, branch, account, holder }, { say }) => {
      expectApp(context, app);
      const removal = { account, why: "removed by command", keepsBranch: false, holder };
      const preview = expectPreview(context, app, branch);
      for (const line of await removePreview(context, preview, removal)) say(line);
      return null;
    },
    changeVariables: async (request) => {
      await changeVariables(context, request);
      return null;
    },
  };
}

type ReadingVerb = Exclude<AgentVerb, AppVerb | DeployVerb>;

function readingVerbs(context: DeployContext): Pick<Answering, ReadingVerb> {
  return {
    apps: () => summarizeApps(context),
    disk: ({ app }, { gone }) => measureDisk(context, app, gone),
    show: ({ app }) => showApp(context, app),
    release: (request) => Promise.resolve({ commit: findRelease(context, request) }),
    releases: (request) => listReleases(context, request),
    deploys: (request) => Promise.resolve(listDeploys(context, request)),
    deployLog: ({ app, number }) => readDeployLog(context, app, number),
    options: ({ app }) => listOptions(context, app),
    previews: ({ app }) => listPreviews(context, app),
    preview: ({ app, branch: named }) => {
      expectApp(context, app);
      const { instance, branch } = expectPreview(context, app, named);
      return Promise.resolve({ instance, branch });
    },
    variables: ({ app, ofPreviews }) => listVariables(context, app, ofPreviews),
    logs: async ({ app, branch, requests, since, ...wanted }, { say, gone }) => {
      const instance = expectInstance(context, app, branch);
      const { log, accessLog } = pathsOf(context, instance);
      const from = since === undefined ? undefined : Date.parse(since);
      const streaming = { ...wanted, since: from, say, gone };
      if (requests) await streamRequests({ ...streaming, accessLog });
      else {
        const understudies = await understudiesOf(context, instance);
        await streamLog({ ...streaming, log, understudies: understudies.map((one) => one.log) });
      }
      return null;
    },
  };
}

import type { Holder } from "../../names/deploy.ts";
import { holding } from "../push/deploys.ts";
import type { Asked, CommandWorld } from "./command.ts";

/** Waits for what is under way; the right is judged as it is when the turn has come. */
export async function inTurn(
  { agent }: Pick<CommandWorld, "agent">,
  instance: { app: string; branch?: string },
  { exchange: { say }, judge }: Asked,
  work: (holder: Holder) => Promise<unknown>,
): Promise<void> {
  await holding({ agent }, async (holder) => {
    await agent.ask("hold", { ...instance, holder }, { onLine: say });
    judge();
    await work(holder);
  });
}

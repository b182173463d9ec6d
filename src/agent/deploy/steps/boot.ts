import { iniOf, planIni } from "../../instance/inis.ts";
import { boot, discard, prove, understudyFor } from "../../instance/vassals.ts";
import { note, type Step } from "../step.ts";
import { bootedOf } from "./health.ts";

/** Boots the release beside the one that is on the air. */
export const bootStep: Step = {
  name: "boot",
  run: async (preparation) => {
    const { context, options, instance, deploy, line, signal } = preparation;
    note(preparation, { strategy: "overlap" });
    const understudy = understudyFor(context, deploy);
    // The Emperor's hook is about to put the vassal into its group; a build may have come between since it was said first.
    context.groups.announce();
    const planned = await planIni(context, { instance, deploy, options });
    if (planned.edited) line("  vassal       edited by hand: left as it is, and proven as it is");
    const { text } = planned;
    await boot(context, understudy, iniOf(context, understudy, { deploy, options, text }));
    const health = prove(context, understudy, { instance, options }, signal);
    return bootedOf(preparation, understudy, { from: 0, health });
  },
  undo: (context, deploy) => discard(context, understudyFor(context, deploy)),
};

import type { Place } from "../../../names/instance.ts";
import { provideVhost } from "../../instance/vhosts.ts";
import { removeVhost } from "../../vhost/vhost.ts";
import { optionsOf } from "../../world/context.ts";
import type { Step } from "../step.ts";

/** The instance's place, and the server block that leads there. */
export const vhostStep: Step = {
  name: "vhost",
  run: async ({ context, instance, options, deploy, line }) => {
    const former = context.store.instances.get(instance.name)?.place ?? null;
    // Written down first: whoever takes it back, after a crash as well, puts this place back.
    context.store.deploys.keepFormerPlace(deploy.id, former);
    context.store.instances.place(instance);
    const done = await provideVhost(context, instance, options);
    if (done === "edited") line("  vhost        edited by hand: left as it is");
    return done === "made" || done === "changed"
      ? `${done} for ${shown(instance.place)}`
      : undefined;
  },
  undo: async (context, deploy) => {
    const former = context.store.deploys.formerPlace(deploy.id);
    if (former === undefined) return;
    const row = context.store.instances.get(deploy.instance);
    if (!row) return;
    if (former === null) {
      await removeVhost(context.system, context.nginx, row.name);
    } else {
      const options = await optionsOf(context, row.app);
      await provideVhost(context, { ...row, place: former }, options);
    }
    context.store.instances.putBack(row.name, former ? { ...row, place: former } : undefined);
  },
};

/** As much of a place as tells it from others. */
function shown({ host, path, port }: Place): string {
  return `${host}${port === 0 ? "" : `:${port}`}${path === "/" ? "" : path}`;
}

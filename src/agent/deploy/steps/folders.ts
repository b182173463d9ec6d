import { isPreviewName } from "../../../names/names.ts";
import { provideFolders } from "../../instance/folders.ts";
import { removeInstance } from "../remove.ts";
import type { Step } from "../step.ts";

/** The folders of a preview, at its first push; an app has its own since it was made. */
export const foldersStep: Step = {
  name: "folders",
  run: async ({ context, instance }) => {
    if (isPreviewName(instance.name) && !context.store.instances.get(instance.name))
      await provideFolders(context, instance.name);
    return undefined;
  },
  /** A preview that has never been on the air leaves nothing, its name included. */
  undo: async (context, { instance, app }) => {
    if (!isPreviewName(instance) || context.store.instances.get(instance)?.live) return;
    await removeInstance(context, { name: instance, app });
  },
};

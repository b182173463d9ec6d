import type { Errand } from "../../system/walker.ts";
import type { Basis, EnvironmentContext } from "./environment.ts";

/**
 * Takes an environment from the user that built it, of which a process may still run and hold a folder of it open.
 * A program in it that would give others the rights of its owner must not, and a file of somebody else's that was
 * linked into it has no place there. What came from the basis is root's and the app's to read already, as nothing is that
 * the builder could reach elsewhere.
 */
export function sealOf(
  path: string,
  context: Sealed & Pick<EnvironmentContext, "builder">,
  basis: Basis | undefined,
): Errand {
  const { system, builder } = context;
  const others = system.isRoot
    ? ({ of: builder.user.uid, others: basis ? "sealed" : "remove" } as const)
    : {};
  return { do: "give", path, ...others, ...sealedFor(context) };
}

type Sealed = Pick<EnvironmentContext, "system" | "appUser">;

/**
 * With root the app may read it, and only at its end; without, nobody may write in it. Its own folder keeps everybody
 * else out: in there all can be read, also by the builder of one that begins with it.
 */
export function sealedFor({ system, appUser }: Sealed) {
  return system.isRoot
    ? { owner: { uid: 0, gid: appUser.gid }, clear: 0o7022, share: 0o055, top: 0o750 }
    : { clear: 0o7222 };
}

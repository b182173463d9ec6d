import { existsSync, lchownSync, lstatSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Has a repository of the tests' at the place and under the name that reeve's have, and leaves a link in its
 * own place: the tests go on using it there. Returns the name of the app.
 */
export function moveRepository(repositories: string, name: string): string {
  const app = name.replace(/\.git$/, "").replaceAll("_", "-");
  const reeves = join(repositories, `${app}.git`);
  // The order in which git itself looks (git, path.c, enter_repo).
  const places = [join(name, ".git"), name, join(`${name}.git`, ".git"), `${name}.git`];
  const found = places
    .map((place) => join(repositories, place))
    .find((path) => existsSync(join(path, "HEAD")));
  if (found === undefined || found === reeves || lstatSync(found).isSymbolicLink()) return app;
  rmSync(reeves, { recursive: true, force: true });
  renameSync(found, reeves);
  symlinkSync(reeves, found);
  // git asks whose the link is as well.
  const { uid, gid } = lstatSync(reeves);
  lchownSync(found, uid, gid);
  return app;
}

import { createHash } from "node:crypto";
import { previewName } from "../../names/names.ts";

const longestLabel = 63;
/** Characters that are looked at: far more than a label has. */
const longestBranch = 500;

/**
 * The branch as a part of a host name: lower case, every run of other characters one hyphen. Where no run
 * is longer than one character it is what GitLab calls `CI_COMMIT_REF_SLUG`.
 */
export function slugOf(branch: string): string {
  return branch
    .slice(0, longestBranch)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/**
 * The name of a branch's preview: its slug and the app. A hash of the whole ref comes to it only where
 * the slug alone would not do: another branch has it, it had to be cut, or nothing is left of the name.
 * Whoever asks keeps the answer for as long as the preview stands: asked again, it may be another.
 */
export function choosePreviewName(
  app: string,
  branch: string,
  isTaken: (name: string) => boolean,
): string {
  const longest = longestLabel - previewName("", app).length;
  const slug = slugOf(branch);
  const name = previewName(slug, app);
  if (slug.length <= longest && isOrdinary(slug) && !isTaken(name)) return name;

  // Somebody may have given a branch the very name that another one's hash makes: the next hash is free.
  for (let turn = 0; ; turn += 1) {
    const hash = hashOf(branch, turn);
    const start = slug.slice(0, longest - hash.length - 1).replace(/-$/, "");
    const hashed = previewName(start === "" ? hash : `${start}-${hash}`, app);
    if (!isTaken(hashed)) return hashed;
  }
}

/** `xn--…` is how a host name says that it stands for one in another script (RFC 5890). */
function isOrdinary(slug: string): boolean {
  return slug !== "" && slug !== "xn";
}

function hashOf(branch: string, turn: number): string {
  const words = `refs/heads/${branch}${turn === 0 ? "" : `\0${turn}`}`;
  return createHash("sha256").update(words).digest("hex").slice(0, 8);
}

import type { Command, Identity } from "./host.ts";

/** Who runs git, with which configuration. */
export interface GitContext {
  repository: string;
  /** The only configuration git reads, beside the repository's own. */
  configuration: string;
  as?: Identity | undefined;
}

/**
 * git with an environment made from nothing. A build or a hook must never hand on `GIT_*`
 * (`GIT_QUARANTINE_PATH` breaks every other repository), and replaced objects would change what is deployed.
 */
export function gitEnvironment(configuration: string): Record<string, string> {
  return {
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: configuration,
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_TERMINAL_PROMPT: "0",
    HOME: "/nonexistent",
  };
}

export function gitCommand(
  context: GitContext,
  args: string[],
  more: Partial<Command> = {},
): Command {
  return {
    file: "git",
    args: [`--git-dir=${context.repository}`, ...args],
    as: context.as,
    ...more,
    env: { ...gitEnvironment(context.configuration), ...more.env },
  };
}

/** Resolves to the commit, or to nothing where there is no such ref. */
export function readRef(context: GitContext, ref: string): Command {
  return gitCommand(context, ["for-each-ref", "--format=%(objectname)", ref]);
}

/** The tree that holds nothing; git knows it without having it. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

import type { Instance } from "../app/instance.ts";
import type { Vassal } from "../app/vassal.ts";
import type { AppOptions } from "../config/app-options.ts";
import { hasCode } from "../errors.ts";
import { leadsTo } from "../host/files.ts";
import { milliseconds, sleep } from "../host/clock.ts";
import type { Deploy } from "../store/agent/deploys.ts";
import { holdVassal } from "../vassal/vassal.ts";
import type { Task } from "./background-work.ts";
import { bringOver, putToSleep } from "./bring-over.ts";
import { optionsOf, pathsOf, type DeployContext } from "./context.ts";
import { later, retireBefore, retireThose, retrySoon } from "./retiring.ts";
import { tidy } from "./tidy.ts";
import {
  drain,
  expectServing,
  lead,
  permanentOf,
  settledVassal,
  understudiesOf,
} from "./vassals.ts";

/** After this long a degraded instance is tried again. */
const retryAfter = 30_000;

/**
 * Settling is what follows a deploy that is live: behind the understudy, which carries the traffic, the
 * permanent vassal is brought to the same release; then it takes the traffic back. Every step asks first
 * whether a newer deploy has come, which then settles in its place.
 */
export function startSettling(context: DeployContext, instance: string, deploy: number): void {
  context.background.settle(instance, deploy, (task) =>
    settle(context, task)
      .catch((error: unknown) => degrade(context, task, error))
      .catch((error: unknown) => {
        context.log.error({ err: error, instance }, "could not settle");
        again(context, task, retrySoon);
      }),
  );
}

async function settle(context: DeployContext, task: Task): Promise<void> {
  const { store } = context;
  const row = store.instances.get(task.instance);
  const deploy = store.deploys.get(task.deploy);
  if (!row || !deploy) return;
  const options = await optionsOf(context, row.app);
  const paths = pathsOf(context, row.name);

  // An attempt before this one may have failed when the vassal had the traffic already.
  const cover = await coverOf(context, task);
  if (cover) await carryBy(context, task, cover);
  await drained(task);
  task.goOn();
  // The traffic is with this deploy's understudy: those of former deploys have done their part.
  await retireBefore(context, row, options, deploy.number);
  task.goOn();
  const vassal = settledVassal(context, deploy);
  const settling = { row, deploy, options, paths };
  const sleeps = vassal.role === "on demand";
  const bring = sleeps ? putToSleep : bringOver;
  const cut = await bring(context, settling, task.goOn);
  task.goOn();
  if (!sleeps) await expectServing(context, vassal, { instance: row, options });
  await lead(context, vassal, task.goOn);
  store.instances.change(row.name, { settled: deploy.id, degraded: null });
  note(context, task, cut ? `settled; requests were cut after ${options.grace} s` : "settled");
  await clearAway(context, task, { row, options, deploy });
}

/** What a deploy that has settled needs no more. It has settled, whatever becomes of this. */
async function clearAway(
  context: DeployContext,
  task: Task,
  done: { row: Instance; options: AppOptions; deploy: Deploy },
): Promise<void> {
  const { row, options, deploy } = done;
  await drained(task);
  try {
    const { ini } = settledVassal(context, deploy);
    const isOver = (one: Vassal): boolean => one.deploy <= deploy.number && one.ini !== ini;
    await retireThose(context, row, options, isOver);
    await tidy(context, row.name);
    // What the last requests stand in goes when they have ended.
    context.background
      .allRetired(row.name)
      .then(() => tidy(context, row.name))
      .catch(() => undefined);
  } catch (error) {
    context.log.error({ err: error, instance: row.name }, "could not clear away");
    later(context, async () => {
      if (!task.isSuperseded()) await clearAway(context, task, done);
    });
  }
}

async function drained(task: Task): Promise<void> {
  const end = milliseconds() + drain;
  while (milliseconds() < end && !task.isSuperseded()) await sleep(20);
}

async function degrade(context: DeployContext, task: Task, error: unknown): Promise<void> {
  if (task.isSuperseded()) {
    note(context, task, "superseded");
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  const log = { err: error, instance: task.instance };
  const cover = await coverOf(context, task);
  if (!cover || hasCode(error, "EMPEROR_DOWN")) {
    // Nobody serves in the vassal's stead, or nothing is wrong with it: the Emperor goes on trying.
    context.log.error(log, "the permanent vassal did not come up");
    note(context, task, message);
    again(context, task, retrySoon);
    return;
  }
  context.log.error(log, "the permanent vassal did not come up; the understudy goes on");
  context.store.instances.change(task.instance, { degraded: message });
  note(context, task, `degraded: ${message}`);
  again(context, task, retryAfter);
  await hold(context, task, cover).catch((failure: unknown) =>
    context.log.error({ err: failure }, "could not stop the vassal that failed"),
  );
}

/** Left where it is, the Emperor would start the vassal again and again. It may have had the traffic for a moment. */
async function hold(context: DeployContext, task: Task, cover: Vassal): Promise<void> {
  if (await carryBy(context, task, cover)) await drained(task);
  task.goOn();
  await holdVassal(context.emperor, permanentOf(context, task.instance).ini, 0);
}

/** Resolves to whether the traffic went elsewhere before. */
async function carryBy(context: DeployContext, task: Task, cover: Vassal): Promise<boolean> {
  if (await leadsTo(pathsOf(context, task.instance).link, cover.socket)) return false;
  await lead(context, cover, task.goOn);
  return true;
}

/** Who serves in the vassal's stead; nobody where the deploy has settled: its understudy ends, or is about to. */
async function coverOf(context: DeployContext, task: Task): Promise<Vassal | undefined> {
  if (context.store.instances.get(task.instance)?.settled === task.deploy) return undefined;
  const number = context.store.deploys.get(task.deploy)?.number;
  const understudies = await understudiesOf(context, task.instance);
  return understudies.find(({ deploy }) => deploy === number);
}

function again(context: DeployContext, task: Task, after: number): void {
  setTimeout(() => {
    if (!task.isSuperseded()) startSettling(context, task.instance, task.deploy);
  }, after).unref();
}

function note({ store }: DeployContext, task: Task, words: string): void {
  store.deploys.change(task.deploy, { note: words });
}

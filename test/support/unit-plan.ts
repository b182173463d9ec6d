import {
  permanentVassal,
  understudyOf,
  vassalForGood,
  vassalOf,
  type Vassal,
} from "../../src/names/vassal.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import type { Seen, Standing } from "../../src/agent/converge/plan.ts";

const layout = embeddedLayout("/srv/reeve");

/** The vassals of an app, and of a preview, whose seventh deploy is live. */
export const app = {
  forGood: standing(permanentVassal(layout, "demo")),
  understudy: (deploy: number): Vassal => understudyOf(layout, "demo", deploy),
};
export const preview = {
  forGood: standing(vassalForGood(layout, "cart--demo", 7)),
  understudy: (deploy: number): Vassal => understudyOf(layout, "cart--demo", deploy),
  onDemand: (deploy: number): Vassal =>
    vassalOf(layout, { instance: "cart--demo", role: "on demand", deploy }),
};

/** One that stands, and answers. */
export function standing(vassal: Vassal): Standing {
  return { ...vassal, awake: true, ending: false };
}

/** An app whose seventh deploy is live, and has settled, unless something else is said. */
export const see = (change: Partial<Seen> = {}): Seen => ({
  ...{ live: { number: 7, commit: "c7" }, forGood: app.forGood, progress: "settled" },
  ...{ others: [], link: app.forGood.socket, drained: true },
  ...change,
});
export const seePreview = (change: Partial<Seen> = {}): Seen =>
  see({ forGood: preview.forGood, link: preview.forGood.socket, ...change });

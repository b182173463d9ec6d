import { z } from "zod";
import { branchName, isHostName, rootFolder } from "../names/names.ts";
import { wholeNumber, type OptionTable, type OptionValues } from "./option-table.ts";

/** `9000-9099`: the first and the last. */
function arePorts(text: string): boolean {
  const [, first = 0, last = 0] = (/^(\d{4,5})-(\d{4,5})$/.exec(text) ?? []).map(Number);
  return first >= 1024 && first <= last && last <= 65_535;
}

/** The words of this option: a strict part of what git allows in a branch, and the asterisk. */
const previewsGrammar = /^[A-Za-z0-9._/*-]+( [A-Za-z0-9._/*-]+)*$/;

export const appOptions = {
  production_branch: {
    schema: branchName,
    default: "main",
    sentence: "The branch whose pushes go on the air.",
  },
  root: {
    schema: rootFolder,
    default: "",
    sentence:
      "The folder of the repository that the app runs in, where its Procfile and requirements.txt are; empty: the whole repository.",
  },
  host: {
    schema: z.string().refine((text) => text === "" || isHostName(text), "is not a host name"),
    default: "",
    sentence:
      "The host at which the app answers; empty: <app>.<domain>. Takes effect with the next deploy.",
  },
  previews: {
    schema: z
      .string()
      .max(500)
      .regex(previewsGrammar, "is not all, off, or patterns of branches such as feature/*"),
    default: "all",
    sentence:
      "Which other branches are put on the air as previews: all, off, or patterns such as feature/* fix/*.",
  },
  preview_host: {
    schema: z.string().refine((text) => text === "" || isHostName(text), "is not a host name"),
    default: "",
    sentence:
      "The one host at which all previews answer, told apart by path; empty: each has a host of its own, <branch>--<app>.<domain>.",
  },
  preview_ports: {
    schema: z
      .string()
      .refine((text) => text === "" || arePorts(text), "is not a range of ports from 1024 on"),
    default: "",
    sentence:
      "Ports such as 9000-9099, one for each preview: they tell previews apart at preview_host, or else at the server's domain; empty: none.",
  },
  preview_variables: {
    formerly: "preview_settings",
    schema: z.string().regex(/^(own|app)$/, "is neither own nor app"),
    default: "own",
    sentence:
      "Which variables a preview gets: own, the set kept for previews; app, the app's own, secrets included.",
  },
  preview_limit: {
    schema: wholeNumber(0, 10_000),
    default: 20,
    sentence: "How many previews the app may have.",
  },
  preview_days: {
    schema: wholeNumber(1, 3650),
    default: 14,
    sentence: "Days without a push or a visit after which a preview is removed.",
  },
  preview_idle: {
    schema: wholeNumber(1, 86_400),
    default: 600,
    sentence: "Seconds without a request after which a preview falls asleep.",
  },
  preview_password: {
    schema: z
      .string()
      .regex(/^[!-~]{0,100}$/, "is not made of printable characters without blanks"),
    default: "",
    sentence:
      "A password that a preview's visitors are asked for, with the user name preview; empty: none.",
    secret: true,
  },
  build_variables: {
    schema: z
      .string()
      .max(500)
      .regex(/^([A-Za-z_]\w*( [A-Za-z_]\w*)*)?$/, "is no list of names of variables"),
    default: "",
    sentence:
      "Which of its variables packages see when they are built, such as SETUPTOOLS_SCM_PRETEND_VERSION; empty: none. One whose value changes has the environment built anew.",
  },
  cookie_domain: {
    schema: z.string().regex(/^(own|any)$/, "is neither own nor any"),
    default: "own",
    sentence:
      "Which domain the app's cookies may have: own, the app's host, whatever domain they name; any, also that of all apps.",
  },
  web_processes: {
    formerly: "workers",
    schema: wholeNumber(1, 64),
    default: 2,
    sentence: "How many processes answer requests.",
  },
  memory: {
    schema: wholeNumber(0, 1_048_576),
    default: 4096,
    sentence:
      "MiB of memory that all processes of the app may take together; where there is no control group for that, MiB of address space of each; 0: no limit.",
  },
  max_processes: {
    formerly: "processes",
    schema: wholeNumber(0, 100_000),
    default: 512,
    sentence:
      "How many processes and threads the app may have; where there is no control group for that, and with root: how many may run as its user; 0: no limit.",
  },
  health_path: {
    schema: z.string().regex(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500}$/, "is not a path"),
    default: "/",
    sentence: "What a new release is asked (GET) before it goes on the air.",
  },
  health_status: {
    schema: wholeNumber(0, 599).refine(
      (status) => status === 0 || status >= 100,
      "is neither 0 nor a status from 100 to 599",
    ),
    default: 0,
    sentence: "The status that counts as healthy; 0: any but 400 and those from 500 on.",
  },
  health_deadline: {
    schema: wholeNumber(1, 3600),
    default: 30,
    sentence: "Seconds a new release has to start and to answer.",
  },
  overlap: {
    schema: z.boolean(),
    default: true,
    sentence:
      "Whether a new release boots beside the one that is on the air. false: that one is stopped first, and the app is off the air meanwhile.",
  },
  installer: {
    schema: z.string().regex(/^(uv|pip|)$/, "is neither uv nor pip"),
    default: "",
    sentence:
      "What installs the app's packages, uv or pip; empty: uv where the server has it. Takes effect with the next deploy.",
  },
  submodules: {
    schema: z.boolean(),
    default: false,
    sentence:
      "Whether the repositories are fetched that a commit names as submodules, over https, from the hosts that the server option submodule_hosts allows.",
  },
  grace: {
    schema: wholeNumber(1, 3600),
    default: 60,
    sentence:
      "Seconds a request that is running may take to finish when its release goes off the air.",
  },
} satisfies OptionTable;

export type AppOptions = OptionValues<typeof appOptions>;

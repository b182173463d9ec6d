import type { Right } from "./names.ts";

export interface Account {
  name: string;
  /** The server's: may do everything. */
  administrator: boolean;
  mayCreate: boolean;
}

export interface AccountSummary extends Account {
  createdAt: string;
  tokens: number;
  keys: number;
  rights: { app: string; right: Right }[];
}

/** What is told of a token; only its hash is kept. */
export interface TokenSummary {
  id: number;
  account: string;
  note: string | null;
  createdAt: string;
  expiresAt: string | null;
  usedAt: string | null;
}

export interface PublicKey {
  fingerprint: string;
  type: string;
  body: string;
  comment: string | null;
}

export interface KeySummary extends PublicKey {
  account: string;
  createdAt: string;
  usedAt: string | null;
}

/** What an account could do at some time: a right in an app, or to create apps. */
export interface PastRight {
  account: string;
  app: string | null;
  right: Right | "create";
}

export type Via = "http" | "ssh" | "local";

export interface AuditEntry {
  account: string | null;
  via: Via;
  action: string;
  app?: string | undefined;
  outcome: "done" | "refused";
  detail?: string | undefined;
}

export interface AuditRecord extends Omit<AuditEntry, "app" | "detail"> {
  id: number;
  at: string;
  app: string | null;
  detail: string | null;
  /** How often it was refused within the minute, and when last: app and detail are the first one's. */
  times: number;
  lastAt: string | null;
}

import { describe, expect, it } from "vitest";
import { formerForms, inTodaysForm } from "../../../src/protocol/former-commands.ts";

describe("how a command was typed once", () => {
  it.each([
    ["settings demo", "vars demo"],
    ["settings demo set A=settings", "vars demo set A=settings"],
    ["settings", "vars"],
    ["help settings", "help vars"],
    ["account", "accounts"],
    ["account --help", "accounts --help"],
    ["account list", "accounts"],
    ["account list --json", "accounts --json"],
    ["account add list --may-create", "accounts add list --may-create"],
    ["account change ada --no-may-create", "accounts change ada --no-may-create"],
    ["account remove ada", "accounts remove ada"],
    ["token create ada --days 90 --note list", "tokens create ada --days 90 --note list"],
    ["token revoke 7", "tokens revoke 7"],
    ["token list", "tokens"],
    ["token list --json", "tokens --json"],
    ["token list ada", "tokens --account ada"],
    ["token list --json ada", "tokens --account ada --json"],
    ["token list list", "tokens --account list"],
    ["help token", "help tokens"],
    ["key add ada ssh-ed25519 AAAA ada@laptop", "keys add ada ssh-ed25519 AAAA ada@laptop"],
    ["key remove SHA256:x", "keys remove SHA256:x"],
    ["key list ada", "keys --account ada"],
    ["key list", "keys"],
    ["preview pin demo feature/cart", "previews demo pin feature/cart"],
    ["preview unpin demo pin", "previews demo unpin pin"],
    ["preview remove demo remove", "previews demo remove remove"],
    ["preview remove -- demo x", "previews demo remove x --"],
    ["preview pin demo", "previews demo pin"],
    ["preview --help", "previews --help"],
    ["deploy-log demo 12", "logs demo --deploy 12"],
    ["deploy-log demo", "logs demo --deploy"],
    ["deploy-log --help", "logs --help"],
  ])("is %j for %j", (former, today) => {
    expect(inTodaysForm(former.split(" ")).join(" ")).toBe(today);
  });

  it.each([
    [[]],
    [["help"]],
    [["apps", "token", "list"]],
    [["accounts", "add", "key"]],
    [["tokens"]],
    [["logs", "settings"]],
    [["vars", "demo", "set", "settings=x", ""]],
    [["--version"]],
  ])("leaves %j as it is", (words) => {
    expect(inTodaysForm(words)).toEqual(words);
  });

  it.each(formerForms)("says %j by no other former form: %j", (_, today) => {
    expect(inTodaysForm(today.split(" "))).toEqual(today.split(" "));
  });
});

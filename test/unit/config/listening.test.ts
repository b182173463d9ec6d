import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { addressesOf, listenWords, withPort } from "../../../src/config/listening.ts";

const hasIpv6 = (networkInterfaces()["lo"] ?? []).some(({ address }) => address === "::1");

describe("where reeve listens", () => {
  it.each([
    ["loopback", hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]],
    ["all", hasIpv6 ? ["0.0.0.0", "::"] : ["0.0.0.0"]],
    ["127.0.0.2  ::1", ["127.0.0.2", "::1"]],
    ["2001:DB8::0:1 127.0.0.2 2001:db8::1", ["2001:db8::1", "127.0.0.2"]],
  ])("%s is these addresses, each once", (listen, addresses) => {
    expect(listenWords.safeParse(listen).success).toBe(true);
    expect(addressesOf(listen)).toEqual(addresses);
  });

  it.each([
    "",
    " ",
    "everywhere",
    "Loopback",
    "localhost",
    "loopback 127.0.0.2",
    "0.0.0.0",
    "::",
    "127.0.0.1:80",
    "[::1]",
    "::ffff:127.0.0.1",
    "fe80::1%eth0",
    "127.0.0.0/8",
    "127.0.0.1;",
    "127.0.0.1\n::1",
  ])("%j is none, and it is said how to find one", (listen) => {
    const { error } = listenWords.safeParse(listen);

    expect(error?.issues[0]?.message).toContain("`ip -brief address` shows this machine's");
  });

  it.each([
    ["127.0.0.2", "127.0.0.2:80"],
    ["::1", "[::1]:80"],
  ])("%s is said with its port as nginx and sshd take it", (address, said) => {
    expect(withPort(address, 80)).toBe(said);
  });
});

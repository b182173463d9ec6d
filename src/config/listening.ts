import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { shortestForm } from "../system/ports.ts";

const everywhere = ["0.0.0.0", "::"];

/** An address that somebody can be told to listen at: no zone behind it, no other notation of an IPv4 one. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !/%|^::ffff:/i.test(text);
}

/** `loopback`, `all`, or addresses with blanks between them. Which of them the machine has is seen at the start. */
export const listenWords = z
  .string()
  .max(2000)
  .refine(
    (text) => text === "loopback" || text === "all" || isAddressList(text),
    'is neither loopback nor all nor a list of addresses such as "192.0.2.10 2001:db8::10"; `ip -brief address` shows this machine\'s',
  );

function isAddressList(text: string): boolean {
  const words = wordsOf(text);
  return words.length > 0 && words.every((word) => isAddress(word) && !everywhere.includes(word));
}

export function wordsOf(list: string): string[] {
  return list.split(" ").filter(Boolean);
}

/** The addresses at which reeve listens, each once; IPv6 is there where the machine's loopback has it. */
export function addressesOf(listen: string): string[] {
  if (listen !== "loopback" && listen !== "all")
    return [...new Set(wordsOf(listen).map(shortestForm))];
  const both = listen === "all" ? everywhere : ["127.0.0.1", "::1"];
  const loopback = networkInterfaces()["lo"] ?? [];
  return loopback.some(({ address }) => address === "::1") ? both : both.slice(0, 1);
}

/** As nginx and sshd take it. */
export function withPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

import { expect, test } from "vitest";
import { waysIn } from "./access.ts";

const service = (name: string, state: string, ...listen: string[]) => ({ service: name, state, listen, tls: "" });

test("implicit TLS is named before STARTTLS, and what does not answer is not named", () => {
  const ways = waysIn([
    service("imap", "listening", "*:143"),
    service("imaps", "listening", "*:993"),
    service("pop3", "listening", "*:110"),
    service("pop3s", "off", "*:995"),
    service("submission", "refused", "*:587"),
    service("smtp", "listening", "*:25"),
  ]);
  expect(ways).toEqual([
    { protocol: "IMAP", port: "993", implicit: true },
    { protocol: "POP3", port: "110", implicit: false },
  ]);
});

test("the port is that of an address which others reach", () => {
  expect(waysIn([service("imaps", "partly", "127.0.0.1:20993", "[::]:993")])[0]?.port).toBe("993");
  expect(waysIn([service("imaps", "listening", "127.0.0.1:20993")])[0]?.port).toBe("20993");
});

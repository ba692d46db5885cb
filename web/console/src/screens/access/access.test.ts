import { expect, test } from "vitest";
import type { Me } from "@/api/session.ts";
import { browserOf, kindsFor, ordered, rightsOf, standing } from "./access.ts";

test("nobody is offered a token that may do more than they may", () => {
  const of = (right: Me["right"]) => kindsFor({ right } as Me);
  expect(of("server-write")).toContain("server-write");
  expect(of("server-read")).toEqual(["server-read"]);
  expect(of("domain")).toEqual(["domain", "accounts"]);
  expect(of("accounts")).toEqual(["accounts"]);
  expect(of("none")).toEqual([]);
  expect(kindsFor(null)).toEqual([]);
});

test("rights of a token are told as the call takes them", () => {
  expect(rightsOf("server-read", [], false)).toEqual({ right: "server-read", grant: [] });
  expect(rightsOf("server-write", ["x.org"], true)).toEqual({ right: "server-write", grant: ["mail-read"] });
  expect(rightsOf("accounts", ["a.org", "b.org"], false)).toEqual({ right: "none", grant: ["accounts a.org b.org"] });
});

test("a token that ends within two weeks says so", () => {
  const now = Date.parse("2026-11-30T12:00:00Z");
  const at = (expires: string | null, expired = false) => standing({ expires, expired }, now);
  expect([at(null), at("2026-12-20T00:00:00Z"), at("2026-12-10T00:00:00Z"), at("2026-11-01T00:00:00Z", true)]).toEqual([
    "good",
    "good",
    "soon",
    "expired",
  ]);
});

test("browsers are told by name, version and system, others in their own words", () => {
  const agents: Record<string, string> = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox 140, Windows",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":
      "Chrome 156, Linux",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0":
      "Edge 150, Windows",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1":
      "Safari 19, iOS",
    "curl/8.1": "curl/8.1",
    "": "",
  };
  for (const [agent, said] of Object.entries(agents)) expect(browserOf(agent)).toBe(said);
});

test("what comes whole is searched and sorted here", () => {
  const rows = [{ a: "beta x" }, { a: "alpha" }, { a: "beta y" }];
  const by = (search: string, sort: string) =>
    ordered(
      rows,
      search,
      sort,
      (row) => row.a,
      (row) => row.a,
    ).map(({ a }) => a);
  expect(by("", "")).toEqual(["beta x", "alpha", "beta y"]);
  expect(by("BETA", "-a")).toEqual(["beta y", "beta x"]);
});

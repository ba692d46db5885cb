import { expect, test } from "vitest";
import { path, qr } from "./qr.ts";

const text = (length: number) =>
  "https://mail.example.org:44337/set-password#Abc_-".padEnd(length, "x9Qz").slice(0, length);
const rows = (length: number) => (qr(text(length)) ?? []).map((row) => row.map((dark) => (dark ? "1" : "0")).join(""));

// What another encoder (python-qrcode 8) makes of the same text, at the mask with the least penalty.
// biome-ignore format: rows
const SMALL = ["1fd487f", "1058d41", "175fa5d", "174cb5d", "1756d5d", "104d441", "1fd557f", "000dc00", "13f2797", "0c3b63e", "1e4a2f9", "100257f", "00ccc61", "1735712", "1ef461f", "16a9ced", "15773f6", "001e116", "1fd1d51", "1052b11", "1752bf3", "17518c3", "174699f", "104f837", "1fdbbc9"];
const SHA256: Record<number, string> = {
  106: "d0961f5c8eb822a62995c310d50715e9df641cf1c5b98c566844bece3956ab95",
  150: "5121b8c26bd2331f72aa5194c578a482bcf78fc3fd6ad3a8394d854cc6a3af73",
  181: "9b95905da2a25d2a7023806da048f237e6249fd742438aa17a90c3ce8d6c6091",
  666: "61f1040b0fb4035e1559062b47f78edcd8fb27cb9b35657bba26eeab3a5d6e85",
};

test("a code is the one that another encoder draws", () => {
  expect(rows(20).map((row) => Number.parseInt(row, 2).toString(16).padStart(7, "0"))).toEqual(SMALL);
});

test.each(Object.keys(SHA256).map(Number))("a text of %i bytes, with its blocks and patterns", async (length) => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(rows(length).join("\n")));
  const hex = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect(hex).toBe(SHA256[length]);
});

test("what is too long is said to be", () => {
  expect(qr("x".repeat(667))).toBeNull();
  expect(qr("ü".repeat(333))).not.toBeNull();
});

test("the quiet zone stands around it", () => {
  const modules = qr("x") ?? [];
  const { d, size } = path(modules);
  expect(size).toBe(modules.length + 8);
  expect(d.startsWith("M4 4h1v1h-1z")).toBe(true);
});

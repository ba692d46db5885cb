import { expect, test } from "vitest";
import { fullAddress, proposal } from "./names.ts";

test.each([
  ["Anna Kovač", "anna.kovac"],
  ["Käthe Groß", "kaethe.gross"],
  ["Jørgen Łęcki", "joergen.lecki"],
  ["Þóra Đorđević", "thora.dordevic"],
  ["Sæmundur Åse", "saemundur.aase"],
  ["Иван Щукин", "ivan.shchukin"],
  ["Михаїл Йовович", "mikhayil.yovovich"],
  ["Ελένη Παπαδοπούλου", "eleni.papadopoyloy"],
  ["Sinéad O’Brien-Smith", "sinead.obrien-smith"],
  ["  Dr. Max  Muster ", "dr.max.muster"],
  ["- Anna -", "anna"],
  ["山田太郎", ""],
  ["", ""],
])("%s proposes %s", (name, address) => expect(proposal(name)).toBe(address));

test("a proposal is no longer than a local part may be", () => {
  expect(proposal("x".repeat(300))).toHaveLength(64);
});

test("the chosen domain is for a bare name only", () => {
  expect(fullAddress(" anna ", "example.org")).toBe("anna@example.org");
  expect(fullAddress("anna@other.test", "example.org")).toBe("anna@other.test");
  expect(fullAddress("anna", "")).toBe("anna");
  expect(fullAddress(" ", "example.org")).toBe("");
});

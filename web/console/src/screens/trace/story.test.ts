import { describe, expect, test } from "vitest";
import { addresses, messagesOf, moving, rowsOf, type TraceStep } from "./story.ts";

const step = (event: string, fields: Record<string, string>, more: Partial<TraceStep> = {}): TraceStep => ({
  id: "6b0d4a3f-013f02be",
  at: "2026-11-30T10:04:47Z",
  log: "mail",
  event,
  fields,
  causes: "",
  text: `${event} ${JSON.stringify(fields)}`,
  ...more,
});
const RECV = step("Recv", {
  From: "<bob@x.test>",
  To: "<anna@y.test>, <kai@y.test>",
  Size: "542",
  Subject: "Re: Thursday",
});
const sent = (who: string, result: string, more: Record<string, string> = {}) =>
  step("Sent", { Recipient: `<${who}@y.test>`, Result: result, Status: "2.0.0 Delivered", ...more });
const fates = (steps: readonly TraceStep[]) =>
  Object.fromEntries(rowsOf(messagesOf(steps)).map((row) => [row.address, row.fate]));

describe("what became of a message", () => {
  test("each recipient has a fate of its own", () => {
    const steps = [RECV, sent("anna", "delivered", { Folder: "INBOX" }), sent("kai", "delayed")];
    expect(fates(steps)).toEqual({ "anna@y.test": "delivered", "kai@y.test": "waiting" });
  });

  test("the last attempt counts", () => {
    expect(fates([RECV, sent("anna", "delayed"), sent("anna", "failed")])).toEqual({ "anna@y.test": "returned" });
  });

  test("two folders of one mailbox are told together", () => {
    const steps = [RECV, sent("anna", "delivered", { Folder: "INBOX" }), sent("anna", "delivered", { Folder: "Work" })];
    expect(messagesOf(steps)[0]?.outcomes[0]?.folders).toEqual(["INBOX", "Work"]);
  });

  test("mail in Junk is not called delivered", () => {
    const judged = step("Judged", { Action: "junk", Score: "6.2", Required: "5.0" }, { log: "spam" });
    const steps = [RECV, judged, sent("anna", "delivered", { Folder: "Junk E-mail" })];
    expect(fates(steps)).toEqual({ "anna@y.test": "junk" });
    expect(messagesOf(steps)[0]?.score).toEqual([6.2, 5]);
  });

  test("what was refused at the door has no message but a verdict", () => {
    const refused = step("Refused recipient", { From: "<bob@x.test>", Recipient: "<ana@y.test>", Status: "550 5.1.1" });
    const [message] = messagesOf([refused]);
    expect(message?.sender).toBe("bob@x.test");
    expect(message?.outcomes).toMatchObject([{ address: "ana@y.test", fate: "refused", status: "550 5.1.1" }]);
  });

  test("an accepted message without news is under way to all that it is addressed to", () => {
    const [message] = messagesOf([RECV]);
    expect(message?.outcomes.map((each) => each.fate)).toEqual(["under-way", "under-way"]);
    expect(message && moving(message)).toBe(true);
  });

  test("the address of an alias is no recipient without news", () => {
    expect(fates([RECV, sent("staff", "delivered", { Folder: "INBOX" })])).toEqual({ "staff@y.test": "delivered" });
  });

  test("the queue tells the next try and the last reply", () => {
    const waits = {
      State: "waiting",
      Attempts: "3",
      "Next-Attempt": "2026-11-30 14:40:00",
      "Recipient-1": "<anna@y.test> (451 4.4.1 no answer)",
    };
    const steps = [RECV, sent("anna", "delayed"), step("Queued", waits, { log: "queue", at: "2026-11-30T11:00:00Z" })];
    expect(messagesOf(steps)[0]?.outcomes[0]).toMatchObject({
      fate: "waiting",
      status: "451 4.4.1 no answer",
      next: "2026-11-30 14:40:00",
    });
  });

  test("the newest message comes first", () => {
    const later = step("Recv", { From: "<a@x.test>", To: "<b@y.test>" }, { id: "later", at: "2026-11-30T11:00:00Z" });
    expect(messagesOf([RECV, later]).map((message) => message.id)).toEqual(["later", RECV.id]);
  });
});

test("an address list is read up to what is left out of it", () => {
  expect(addresses("<a@x.test>, <b@y.test> and 3 more")).toEqual(["a@x.test", "b@y.test"]);
});

/** After a try it is said which messages were delivered, returned or wait still; never for more than somebody reads. */
import { beforeEach, expect, test, vi } from "vitest";
import type { Fate, TraceRow } from "../trace/story.ts";
import { counted, follow } from "./follow.ts";

const { read, search } = vi.hoisted(() => ({ read: vi.fn(), search: vi.fn() }));
vi.mock("@/api/admin.ts", () => ({ read }));
vi.mock("../trace/search.ts", () => ({ search }));

beforeEach(() => {
  read.mockReset();
  search.mockReset();
});

const message = (id: string, ...fates: Fate[]) => ({
  messages: [{ id, outcomes: fates.map((fate, at) => ({ address: `${at}@x.test`, fate })) }],
});

const queue = (...ids: string[]) => Promise.resolve({ items: ids.map((id) => ({ id })), more: "" });

test("what left the queue is looked up, what waits is counted", async () => {
  read.mockReturnValueOnce(queue("q2")).mockReturnValueOnce(queue("q2"));
  search.mockResolvedValue(message("q1", "returned", "delivered"));
  const { rows, waiting } = await follow(["q1", "q2"], [0, 0]);
  expect(rows.map((row) => [row.message.id, row.fate])).toEqual([
    ["q1", "returned"],
    ["q1", "delivered"],
  ]);
  expect(waiting).toBe(1);
});

test("a log that is a moment late is asked again, and nobody once all is known", async () => {
  read.mockImplementation(() => queue());
  search.mockResolvedValueOnce(message("q1", "under-way")).mockResolvedValueOnce(message("q1", "returned"));
  const { rows } = await follow(["q1"], [0, 0, 0, 0]);
  expect(rows.map((row) => row.fate)).toEqual(["returned"]);
  expect(read).toHaveBeenCalledTimes(2);
});

test("ends are counted by what they mean for the sender", () => {
  const rows = (["delivered", "junk", "relayed", "returned", "refused", "discarded"] as const).map(
    (fate) => ({ fate }) as TraceRow,
  );
  expect(counted(rows)).toEqual({ returned: 1, refused: 1, discarded: 1, delivered: 3 });
});

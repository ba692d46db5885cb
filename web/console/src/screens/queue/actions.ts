/** What is done to messages in the queue: one at a time, selected ones, all. */
import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { run } from "@/api/admin.ts";
import { toast, undoable } from "@/api/operations.ts";
import { useVerdict } from "../trace/useVerdict.ts";
import { traceOf } from "./message.ts";

export interface QueueActions {
  tryNow: (ids: readonly string[]) => void;
  hold: (ids: readonly string[]) => void;
  release: (ids: readonly string[]) => void;
  remove: (ids: readonly string[], report: boolean) => void;
  tryAll: () => void;
}

/** A message to which it was not done, and why. */
export interface NotDone {
  readonly id: string;
  readonly text: string;
}

interface Touched {
  text: string;
  failed?: readonly NotDone[];
}

export function useQueueActions(done: () => void, fail: (failed: readonly NotDone[]) => void): QueueActions {
  const { t } = useLingui();
  const verdict = useVerdict();
  return useMemo(() => {
    const act = async (verb: string, body: object): Promise<readonly NotDone[] | null> => {
      try {
        const { result } = await run<Touched>("queue", verb, body);
        toast(result.text);
        fail(result.failed ?? []);
        return result.failed ?? [];
      } catch (error) {
        toast(error instanceof Error ? error.message : String(error), "failed");
        return null;
      } finally {
        done();
      }
    };
    const then = async (verb: string, ids: readonly string[]) => {
      const failed = await act(verb, { ids });
      const { counted, follow, MOST } = await import("./follow.ts");
      const tried = ids.filter((id) => !failed?.some((each) => each.id === id));
      if (!failed || !tried.length || tried.length > MOST) return;
      const { rows, waiting } = await follow(tried);
      done();
      const [first] = rows;
      if (!first) return;
      const { returned, refused, discarded, delivered } = counted(rows);
      const bad = returned + refused + discarded;
      const link = { ...traceOf(tried.length === 1 ? first.message.id : tried.join(" ")), text: t`Trace` };
      const text =
        rows.length === 1
          ? `${first.address}: ${verdict(first, first.message).text}`
          : [
              delivered && t`${delivered} delivered`,
              returned && t`${returned} returned to the sender`,
              refused && t`${refused} refused`,
              discarded && t`${discarded} discarded`,
              waiting && t`${waiting} still waiting`,
            ]
              .filter(Boolean)
              .join(", ");
      toast(text, bad ? "failed" : "done", undefined, link);
    };
    return {
      tryNow: (ids) => void then("try", ids),
      hold: (ids) => void act("hold", { ids }),
      release: (ids) => void then("release", ids),
      tryAll: () => void act("run", {}),
      remove: (ids, report) => {
        const count = ids.length;
        const said = count === 1 ? t`1 message is deleted` : t`${count} messages are deleted`;
        undoable("queue", "delete", { ids, report }, { said, undone: t`Nothing was deleted`, done }).catch(
          (error: Error) => toast(error.message, "failed"),
        );
      },
    };
  }, [t, done, fail, verdict]);
}

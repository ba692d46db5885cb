/** What is done to messages in the queue: one at a time, selected ones, all. */
import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { run } from "@/api/admin.ts";
import { toast, undoable } from "@/api/operations.ts";

export interface QueueActions {
  tryNow: (ids: readonly string[]) => void;
  hold: (ids: readonly string[]) => void;
  release: (ids: readonly string[]) => void;
  remove: (ids: readonly string[], report: boolean) => void;
  tryAll: () => void;
}

interface Touched {
  text: string;
}

export function useQueueActions(done: () => void): QueueActions {
  const { t } = useLingui();
  return useMemo(() => {
    const act = async (verb: string, body: object) => {
      try {
        const { result } = await run<Touched>("queue", verb, body);
        toast(result.text);
      } catch (error) {
        toast(error instanceof Error ? error.message : String(error), "failed");
      }
      done();
    };
    return {
      tryNow: (ids) => void act("try", { ids }),
      hold: (ids) => void act("hold", { ids }),
      release: (ids) => void act("release", { ids }),
      tryAll: () => void act("run", {}),
      remove: (ids, report) => {
        const count = ids.length;
        const said = count === 1 ? t`1 message is deleted` : t`${count} messages are deleted`;
        undoable("queue", "delete", { ids, report }, { said, undone: t`Nothing was deleted`, done }).catch(
          (error: Error) => toast(error.message, "failed"),
        );
      },
    };
  }, [t, done]);
}

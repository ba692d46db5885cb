/** The answers, kept by the server after each pause: a reload, a closed browser and a second one lose nothing. */
import { ApiError } from "@shared/errors.ts";
import { useEffect, useRef, useState } from "react";
import type { Tree } from "./answers.ts";
import { draft, keep } from "./api.ts";

/** Milliseconds of rest after which what was typed is kept. */
const REST = 500;

export interface Kept {
  readonly answers: Tree;
  readonly withheld: readonly string[];
  readonly change: (answers: Tree) => void;
  /** Another browser has changed the answers. */
  readonly conflict: boolean;
  readonly takeTheirs: () => void;
  readonly keepMine: () => void;
}

/** `at`: the step now; `onLoad` gets that which was reached before. */
export function useDraft(at: string, onLoad: (at: string) => void, onTrouble: (error: unknown) => void): Kept {
  const [answers, setAnswers] = useState<Tree>({});
  const [withheld, setWithheld] = useState<readonly string[]>([]);
  const [conflict, setConflict] = useState(false);
  const [loaded, setLoaded] = useState(false);
  /** What the server has, as text: it is not kept twice. */
  const sent = useRef("");
  const revision = useRef(0);
  const work = useRef<Promise<unknown>>(Promise.resolve());
  const calls = useRef({ onLoad, onTrouble });
  useEffect(() => {
    calls.current = { onLoad, onTrouble };
  });

  const load = async () => {
    const kept = await draft();
    revision.current = kept.revision;
    sent.current = JSON.stringify([kept.answers, kept.at]);
    setAnswers(kept.answers);
    setWithheld(kept.withheld);
    setConflict(false);
    setLoaded(true);
    calls.current.onLoad(kept.at);
  };
  const first = useRef(load);
  useEffect(() => {
    first.current().catch((error: unknown) => calls.current.onTrouble(error));
  }, []);

  useEffect(() => {
    const now = JSON.stringify([answers, at]);
    if (!loaded || conflict || !at || now === sent.current) return undefined;
    const save = async () => {
      try {
        revision.current = await keep(answers, at, revision.current);
        sent.current = now;
      } catch (error) {
        // That the server does not answer now is said where something is asked of it.
        if (error instanceof ApiError && error.status === 409) setConflict(true);
      }
    };
    // One after the other: each says which revision it changes.
    const timer = setTimeout(() => (work.current = work.current.then(save)), REST);
    return () => clearTimeout(timer);
  }, [answers, at, loaded, conflict]);

  const keepMine = async () => {
    revision.current = (await draft()).revision;
    sent.current = "";
    setConflict(false);
  };
  return {
    answers,
    withheld,
    change: setAnswers,
    conflict,
    takeTheirs: () => void load().catch(onTrouble),
    keepMine: () => void keepMine().catch(onTrouble),
  };
}

/** Lines whose order counts: dragged by their grip, or moved with Alt and the arrows. */
import { useLingui } from "@lingui/react/macro";
import { type DragEvent, type KeyboardEvent, useRef } from "react";
import { IconButton } from "../../base/Button.tsx";

export interface Order {
  readonly start: (at: number) => void;
  readonly end: () => void;
  /** True: the key moved the line. */
  readonly key: (event: KeyboardEvent, at: number) => boolean;
  /** What a line needs so that others can be dropped on it. */
  readonly row: (at: number) => { onDragOver: (event: DragEvent) => void; onDrop: (event: DragEvent) => void };
}

export function useOrder(move: (from: number, to: number) => void): Order {
  const dragged = useRef<number | null>(null);
  return {
    start: (at) => {
      dragged.current = at;
    },
    end: () => {
      dragged.current = null;
    },
    key: (event, at) => {
      const step = event.altKey ? { ArrowUp: -1, ArrowDown: 1 }[event.key] : undefined;
      if (step === undefined) return false;
      event.preventDefault();
      move(at, at + step);
      return true;
    },
    row: (at) => ({
      onDragOver: (event) => {
        if (dragged.current !== null) event.preventDefault();
      },
      onDrop: (event) => {
        if (dragged.current === null) return;
        event.preventDefault();
        if (dragged.current !== at) move(dragged.current, at);
        dragged.current = null;
      },
    }),
  };
}

export function Grip({ name, at, order }: { name: string; at: number; order: Order }) {
  const { t } = useLingui();
  return (
    <IconButton
      icon="grip"
      label={t`Move ${name}: drag it, or press Alt and an arrow key`}
      draggable
      onDragStart={(event: DragEvent) => {
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", name);
        order.start(at);
      }}
      onDragEnd={order.end}
      onKeyDown={(event: KeyboardEvent) => order.key(event, at)}
    />
  );
}

/** The lines with one of them at another place; null: there is no such place. */
export function moved<T>(lines: readonly T[], from: number, to: number): T[] | null {
  const next = [...lines];
  const [taken] = next.splice(from, 1);
  if (taken === undefined || to < 0 || to >= lines.length) return null;
  next.splice(to, 0, taken);
  return next;
}

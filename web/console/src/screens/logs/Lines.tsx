/** The lines in sight, at one height each; the end stays in view until somebody scrolls up. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useMediaQuery } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import { number } from "@/parts/base/Moment.tsx";
import { type LogLine, nameOf, parsed, type Rule, spans } from "./line.ts";
import css from "./Logs.module.css";
import type { LogModel, LogView } from "./model.ts";

interface Props {
  model: LogModel;
  view: LogView;
  sought: RegExp | null;
  rules: readonly Rule[];
  /** Which log, where there are several. */
  named: boolean;
  open: number | null;
  onOpen: (line: LogLine) => void;
  /** The name of the line that a link means. */
  mark: string;
  /** The moment around which the lines are. */
  at: string;
}

const NEAR = 40;
const HEIGHT = 22;
const PHONE = 66;

export function Lines({ model, view, sought, rules, named, open, onOpen, mark, at }: Props) {
  const { t } = useLingui();
  const scroller = useRef<HTMLDivElement>(null);
  const phone = useMediaQuery("(max-width: 767px)", false, { getInitialValueInEffect: false }) ?? false;
  const height = phone ? PHONE : HEIGHT;
  const { lines } = view;
  const [atEnd, setAtEnd] = useState(true);
  const placed = useRef(false);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (at) => lines[at]?.key ?? at,
    overscan: 20,
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  // Lines that were put before the first one push down those in view: follow them.
  useLayoutEffect(() => {
    if (view.before && scroller.current && !atEnd) scroller.current.scrollTop += view.before * height;
  }, [view.before, view.lines, height, atEnd]);
  useLayoutEffect(() => {
    if (!lines.length) return;
    const marked = mark ? lines.findIndex((line) => nameOf(line.text) === mark) : -1;
    const meant = marked >= 0 || !at ? marked : lines.findIndex((line) => Date.parse(line.at) >= Date.parse(at));
    if (!placed.current && meant >= 0) {
      placed.current = true;
      setAtEnd(false);
      virtual.scrollToIndex(meant, { align: "center" });
    } else if (atEnd) {
      virtual.scrollToIndex(lines.length - 1, { align: "end" });
    }
  }, [lines, atEnd, virtual, mark, at, height]);
  useEffect(() => model.pause(!atEnd), [model, atEnd]);

  const scrolled = () => {
    const place = scroller.current;
    if (!place) return;
    const end = place.scrollHeight - place.scrollTop - place.clientHeight < height * 1.5;
    setAtEnd(end);
    if (place.scrollTop < height * NEAR) void model.needOlder();
    if (place.scrollHeight - place.scrollTop - place.clientHeight < height * NEAR) void model.needNewer();
  };
  const step = (by: number) => {
    const at = lines.findIndex((line) => line.key === open);
    const to = lines[Math.max(0, Math.min(lines.length - 1, (at < 0 ? lines.length - 1 : at) + by))];
    if (!to) return;
    onOpen(to);
    virtual.scrollToIndex(lines.indexOf(to));
  };
  const key = (event: KeyboardEvent) => {
    const act = {
      End: () => setAtEnd(true),
      j: () => step(1),
      k: () => step(-1),
      ArrowDown: open === null ? undefined : () => step(1),
      ArrowUp: open === null ? undefined : () => step(-1),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const loading = view.state === "loading";
  return (
    <div className={css.area}>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys scroll and open lines */}
      <div
        ref={scroller}
        className={css.scroller}
        role="log"
        aria-label={t`Lines of the log`}
        aria-live="off"
        aria-busy={loading}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        tabIndex={0}
        onScroll={scrolled}
        onKeyDown={key}
        data-stale={view.live === "retrying" || undefined}
      >
        {loading ? (
          <Bones />
        ) : (
          <div className={css.sheet} style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const line = lines[item.index];
              return (
                line && (
                  <div
                    key={item.key}
                    className={css.place}
                    style={{ height, transform: `translateY(${item.start}px)` }}
                  >
                    <Row
                      {...{ line, sought, rules, named, onOpen }}
                      open={open === line.key}
                      marked={mark !== "" && nameOf(line.text) === mark}
                    />
                  </div>
                )
              );
            })}
          </div>
        )}
      </div>
      {!atEnd && view.live !== "off" && (
        <button type="button" className={css.paused} onClick={() => setAtEnd(true)}>
          {view.waiting ? (
            <Plural value={view.waiting} one="Paused, # new line" other="Paused, # new lines" />
          ) : (
            <Trans>Paused. To the end</Trans>
          )}
        </button>
      )}
    </div>
  );
}

interface RowProps {
  line: LogLine;
  sought: RegExp | null;
  rules: readonly Rule[];
  named: boolean;
  open: boolean;
  marked: boolean;
  onOpen: (line: LogLine) => void;
}

const Row = memo(function Row({ line, sought, rules, named, open, marked, onOpen }: RowProps) {
  if (line.skipped) {
    const count = number(line.skipped);
    return (
      <p className={css.skipped}>
        <Trans>{count} lines came too fast and are left out here; the file has them</Trans>
      </p>
    );
  }
  const { time, title, rest } = parsed(line.text);
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions -- j, k and the arrows of the log open lines
    <div
      className={css.line}
      data-open={open || undefined}
      data-marked={marked || undefined}
      onClick={() => onOpen(line)}
    >
      <time>{time.replace(/^(\d+\/\w+)\/\d+ /, "$1 ")}</time>
      {named && <span className={css.log}>{line.log}</span>}
      {title && <b className={tint(title, line.log)}>{title}</b>} <Pieces text={rest} {...{ sought, rules }} />
    </div>
  );
});

/** Only what went wrong has a colour of its own. */
function tint(title: string, log: string): string | undefined {
  if (/refused|failed|denied|died|crashed|lost|full$/i.test(title)) return "error";
  if (log === "warning" || /locked|ended|down|delayed|limit|low$/i.test(title)) return "warn";
  return log === "error" ? "error" : undefined;
}

function Pieces({ text, sought, rules }: { text: string; sought: RegExp | null; rules: readonly Rule[] }) {
  return spans(text, sought, rules).map((span, at) =>
    span.kind === "plain" ? (
      span.text
    ) : span.kind === "id" ? (
      // oxlint-disable-next-line react/no-array-index-key -- pieces have an order and nothing else
      <Link
        key={at}
        className="link"
        tabIndex={-1}
        to="/trace"
        search={{ q: span.text } as never}
        onClick={(event) => event.stopPropagation()}
      >
        {span.text}
      </Link>
    ) : (
      // oxlint-disable-next-line react/no-array-index-key
      <mark key={at} data-colour={span.colour}>
        {span.text}
      </mark>
    ),
  );
}

function Bones() {
  return (
    <div aria-hidden className={css.bones}>
      {Array.from({ length: 24 }, (_, at) => (
        // oxlint-disable-next-line react/no-array-index-key -- they are all alike
        <span key={at} style={{ width: `${38 + ((at * 37) % 52)}%` }} />
      ))}
    </div>
  );
}

/** A difference of texts: in one column or two, by colour and by sign, with a way from change to change by keys. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from "react";
import { Button, IconButton } from "../base/Button.tsx";
import css from "./Diff.module.css";
import { type DiffLine, type FileDiff, type Hunk, parseDiff, sides } from "./diff.ts";

/** So many lines are drawn at first: a difference of a file of 50,000 users would hold up the page. */
const MOST = 1500;

interface Props {
  text: string;
  /** Side by side. */
  two?: boolean;
  /** It scrolls by itself; else what it stands in does. */
  scrolls?: boolean;
  /** What there is to say of lines of the file on the right, by their numbers; `right` is its name in the heading. */
  remarks?: (right: string) => ReadonlyMap<number, string>;
}

type Remarks = ReadonlyMap<number, string> | undefined;

export function Diff({ text, two = false, scrolls = false, remarks }: Props) {
  const parsed = useMemo(() => parseDiff(text), [text]);
  return (
    <div className={css.diff} data-scrolls={scrolls || undefined}>
      {parsed.rest.length > 0 && <pre className={css.rest}>{parsed.rest.join("\n")}</pre>}
      {parsed.files.map((file) => (
        <File key={`${file.left} ${file.right}`} {...{ file, two }} remarks={remarks?.(file.right)} />
      ))}
    </div>
  );
}

function File({ file, two, remarks }: { file: FileDiff; two: boolean; remarks: Remarks }) {
  const { t } = useLingui();
  const [all, setAll] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef<HTMLElement | null>(null);
  const { added, removed } = file;
  const { shown, left } = useMemo(() => cut(file.hunks, all ? Infinity : MOST), [file, all]);

  const go = (step: 1 | -1) => {
    const host = box.current;
    if (!host) return;
    const places = [...host.querySelectorAll<HTMLElement>("[data-begins]")];
    const { top, bottom } = host.getBoundingClientRect();
    const [from, to] = [Math.max(0, top), Math.min(innerHeight, bottom)];
    const seen = places.findIndex((each) => each === latest.current);
    const where = (each: HTMLElement) => each.getBoundingClientRect().top;
    const still = latest.current && where(latest.current) >= from && where(latest.current) < to;
    // From the change that was gone to last, or, if somebody scrolled on, from the middle of what is seen.
    const middle = (from + to) / 2;
    const next =
      still && seen >= 0
        ? places[seen + step]
        : step > 0
          ? places.find((each) => where(each) > middle)
          : places.findLast((each) => where(each) < middle);
    if (!next) return;
    latest.current?.removeAttribute("data-here");
    next.setAttribute("data-here", "");
    latest.current = next;
    next.scrollIntoView({ block: "center" });
  };
  const key = (event: KeyboardEvent) => {
    const step = { n: 1, j: 1, p: -1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    go(step as 1 | -1);
  };
  return (
    <section className={css.file} aria-label={t`${file.left} and ${file.right}`}>
      <header>
        <div>
          <p>
            <span className="muted">{file.left}</span> → <b>{file.right}</b>
          </p>
          <p className="muted">
            <Plural value={added} one="# line added" other="# lines added" />
            {", "}
            <Plural value={removed} one="# removed" other="# removed" />
          </p>
        </div>
        <IconButton icon="up" label={t`Previous change (p)`} onClick={() => go(-1)} />
        <IconButton icon="down" label={t`Next change (n)`} onClick={() => go(1)} />
      </header>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys that go from change to change */}
      <div
        ref={box}
        className={css.box}
        role="region"
        aria-label={t`Lines; n and p go from change to change`}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        tabIndex={0}
        onKeyDown={key}
      >
        {two ? <Two hunks={shown} remarks={remarks} /> : <One hunks={shown} remarks={remarks} />}
        {left > 0 && (
          <p className={css.more}>
            <Button small onClick={() => setAll(true)}>
              <Plural value={left} one="Show # more line" other="Show # more lines" />
            </Button>
          </p>
        )}
      </div>
    </section>
  );
}

function One({ hunks, remarks }: { hunks: readonly Hunk[]; remarks: Remarks }) {
  return (
    <table className={css.lines}>
      <Heads two={false} />
      {hunks.map((hunk, number) => (
        // oxlint-disable-next-line react/no-array-index-key -- lines have an order and nothing else
        <tbody key={number}>
          {hunk.lines.map((line, at) => (
            // oxlint-disable-next-line react/no-array-index-key
            <Rows key={at} remark={line.after === undefined ? undefined : remarks?.get(line.after)} columns={4}>
              <tr data-kind={line.kind} data-begins={begins(hunk.lines, at)}>
                <td className={css.number}>{line.before}</td>
                <td className={css.number}>{line.after}</td>
                <Text line={line} />
              </tr>
            </Rows>
          ))}
        </tbody>
      ))}
    </table>
  );
}

function Two({ hunks, remarks }: { hunks: readonly Hunk[]; remarks: Remarks }) {
  return (
    <table className={`${css.lines} ${css.two}`}>
      <colgroup>
        <col className={css.number} />
        <col className={css.sign} />
        <col />
        <col className={css.number} />
        <col className={css.sign} />
        <col />
      </colgroup>
      <Heads two />
      {hunks.map((hunk, number) => {
        const pairs = sides(hunk);
        return (
          // oxlint-disable-next-line react/no-array-index-key -- lines have an order and nothing else
          <tbody key={number}>
            {pairs.map(({ left, right }, at) => {
              const same = left?.kind === "same";
              const before = pairs[at - 1];
              const first = !same && (!before || before.left?.kind === "same");
              const remark = right?.after === undefined ? undefined : remarks?.get(right.after);
              return (
                // oxlint-disable-next-line react/no-array-index-key
                <Rows key={at} remark={remark} columns={6}>
                  <tr data-begins={first ? "" : undefined}>
                    <td className={css.number}>{left?.before}</td>
                    <Text line={left} />
                    <td className={css.number}>{right?.after}</td>
                    <Text line={right} />
                  </tr>
                </Rows>
              );
            })}
          </tbody>
        );
      })}
    </table>
  );
}

function Heads({ two }: { two: boolean }) {
  return (
    <thead className="hidden">
      <tr>
        <th scope="col">
          <Trans>Number before</Trans>
        </th>
        {two && (
          <th scope="col" colSpan={2}>
            <Trans>Before</Trans>
          </th>
        )}
        <th scope="col">
          <Trans>Number after</Trans>
        </th>
        <th scope="col" colSpan={2}>
          {two ? <Trans>After</Trans> : <Trans>Line</Trans>}
        </th>
      </tr>
    </thead>
  );
}

function Rows({ remark, columns, children }: { remark: string | undefined; columns: number; children: ReactNode }) {
  return (
    <>
      {children}
      {remark && (
        <tr className={css.remark}>
          <td colSpan={columns} className="error">
            {remark}
          </td>
        </tr>
      )}
    </>
  );
}

const SIGN = { same: "", removed: "-", added: "+" } as const;

function Text({ line }: { line: DiffLine | undefined }) {
  if (!line) return <td className={css.none} colSpan={2} />;
  const Tag = line.kind === "removed" ? "del" : line.kind === "added" ? "ins" : "span";
  const [from, to] = line.marked ?? [0, 0];
  return (
    <>
      <td className={css.sign} data-kind={line.kind}>
        {SIGN[line.kind]}
      </td>
      <td className={css.text} data-kind={line.kind}>
        <Tag>
          {to > from ? (
            <>
              {line.text.slice(0, from)}
              <mark>{line.text.slice(from, to)}</mark>
              {line.text.slice(to)}
            </>
          ) : (
            line.text || " "
          )}
        </Tag>
      </td>
    </>
  );
}

const begins = (lines: readonly DiffLine[], at: number) =>
  lines[at]?.kind !== "same" && (at === 0 || lines[at - 1]?.kind === "same") ? "" : undefined;

/** The first `most` lines, and how many there are more. */
function cut(hunks: readonly Hunk[], most: number): { shown: Hunk[]; left: number } {
  let room = most;
  let left = 0;
  const shown: Hunk[] = [];
  for (const hunk of hunks) {
    const lines = hunk.lines.slice(0, Math.max(0, room));
    room -= lines.length;
    left += hunk.lines.length - lines.length;
    if (lines.length) shown.push({ lines });
  }
  return { shown, left };
}

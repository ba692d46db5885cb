/** The guide: its pages, their headings, and a search through all of them. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { LOADERS, PAGES } from "virtual:guide";
import { Page } from "@/app/Page.tsx";
import { toGuide } from "@/app/guide.ts";
import { useUrl } from "@/app/url.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { Failure, Notice } from "@/parts/base/Notice.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { Blocks, headingId } from "./Blocks.tsx";
import css from "./Help.module.css";
import { pieces, search } from "./search.ts";

export default function HelpScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const page = PAGES.find((each) => each.id === words.page) ?? PAGES[0];
  const [sought, setSought] = useState(words.q ?? "");
  const found = words.q ?? "";
  useEffect(() => {
    if (sought === found) return undefined;
    const timer = setTimeout(() => change({ q: sought || null }), 150);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- what is typed leads, the address follows
  }, [sought]);
  // A link to a page, from wherever, ends the search.
  useEffect(() => setSought(found), [found, words.page, words.at]);
  if (!page) return null;
  return (
    <Page title={t`Help`} summary={found ? t`Found in the guide` : page.title}>
      <div className={css.help}>
        <nav className={css.side} aria-label={t`Guide`}>
          <div className={css.search} role="search">
            <Icon name="search" />
            <input
              type="search"
              aria-label={t`Search the guide`}
              placeholder={t`Search the guide`}
              value={sought}
              spellCheck={false}
              onChange={(event) => setSought(event.target.value)}
            />
          </div>
          <Contents current={found ? "" : page.id} at={words.at ?? ""} />
        </nav>
        {found ? <Hits words={found} /> : <Text key={page.id} id={page.id} title={page.title} at={words.at ?? ""} />}
      </div>
    </Page>
  );
}

function Contents({ current, at }: { current: string; at: string }) {
  const { t } = useLingui();
  const shown = PAGES.find((each) => each.id === current);
  const list = (
    <ul>
      {PAGES.map((page) => (
        <li key={page.id}>
          <Link
            to="/help"
            search={toGuide({ page: page.id, at: "" }) as never}
            aria-current={page.id === current ? "page" : undefined}
          >
            {page.title}
          </Link>
          {page.id === current && page.headings.length > 0 && (
            <ul>
              {page.headings.map((heading) => (
                <li key={heading.id}>
                  <Link
                    to="/help"
                    search={toGuide({ page: page.id, at: heading.id }) as never}
                    data-here={heading.id === at || undefined}
                  >
                    {heading.title}
                  </Link>
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ul>
  );
  return (
    <>
      <div className={css.contents}>{list}</div>
      <details className={css.folded} key={`${current} ${at}`}>
        <summary>{shown?.title ?? t`Pages of the guide`}</summary>
        {list}
      </details>
    </>
  );
}

function Text({ id, title, at }: { id: string; title: string; at: string }) {
  const { t, i18n } = useLingui();
  const body = useRef<HTMLElement>(null);
  const { data, error, refetch } = useQuery({
    queryKey: ["guide", id],
    queryFn: async () => (await LOADERS[id]?.())?.default ?? [],
    staleTime: Infinity,
    retry: false,
  });
  useEffect(() => {
    if (!data) return;
    const heading = at && document.getElementById(headingId(at));
    if (heading) heading.scrollIntoView({ block: "start" });
    else body.current?.scrollTo(0, 0);
  }, [data, at]);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <section ref={body} className={css.body} aria-label={title} tabIndex={0}>
      {error ? (
        <Failure what={t`The page could not be read.`} error={error} retry={() => void refetch()} />
      ) : data ? (
        <article className={css.text} lang="en">
          {i18n.locale !== "en" && <p className={css.language}>{t`The guide is written in English.`}</p>}
          <Blocks blocks={data} page={id} at={at} />
        </article>
      ) : (
        <FormSkeleton />
      )}
    </section>
  );
}

function Hits({ words }: { words: string }) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["guide", "search"],
    queryFn: async () => (await import("virtual:guide/search")).default,
    staleTime: Infinity,
    retry: false,
  });
  const titles = Object.fromEntries(PAGES.map((page) => [page.id, page.title]));
  const hits = data ? search(words, data) : [];
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <section className={css.body} aria-label={t`Found in the guide`} tabIndex={0}>
      {error && <Failure what={t`The guide could not be searched.`} error={error} retry={() => void refetch()} />}
      {data && !hits.length && (
        <Notice icon="search" title={t`Nothing in the guide has all of these words: ${words}`}>
          <p>
            <Trans>Settings are found by Ctrl K, with the words of their descriptions.</Trans>
          </p>
        </Notice>
      )}
      <ol className={css.hits}>
        {hits.map((hit) => (
          <li key={`${hit.page} ${hit.at}`}>
            <Link to="/help" search={toGuide(hit) as never}>
              <b>
                <Marked text={hit.title} words={words} />
              </b>
              {titles[hit.page] !== hit.title && <small>{titles[hit.page]}</small>}
              <p>
                <Marked text={hit.text} words={words} />
              </p>
            </Link>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Marked({ text, words }: { text: string; words: string }) {
  return pieces(text, words).map((piece, at) =>
    // oxlint-disable-next-line react/no-array-index-key -- pieces have an order and nothing else
    at % 2 ? <mark key={at}>{piece}</mark> : piece,
  );
}

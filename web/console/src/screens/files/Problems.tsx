/** What a check of the files says, with the lines that it means. */
import { Plural, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Marked } from "@/parts/base/Marked.tsx";
import { pageOf, pathOf } from "@/screens/settings/pages.ts";
import type { Problem } from "./files.ts";
import css from "./Files.module.css";

const FEW = 4;

export function Problems({ problems }: { problems: readonly Problem[] }) {
  const { t } = useLingui();
  const [all, setAll] = useState(false);
  const rest = problems.length - FEW;
  return (
    <>
      <ul className={css.problems} aria-label={t`What the check says`}>
        {problems.slice(0, all ? undefined : FEW).map(({ file, line, path, text }, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- two may say the same
          <li key={at}>
            <span className="mono">{line ? t`${file}, line ${line}` : file}</span>
            <span>
              {path &&
                (line ? (
                  <code>{path} </code>
                ) : (
                  <Link to={pathOf(pageOf(path))} search={{ setting: path } as never} className="link">
                    {path}
                  </Link>
                ))}{" "}
              <Marked text={text} />
            </span>
          </li>
        ))}
      </ul>
      {rest > 0 && !all && (
        <p>
          <Button small onClick={() => setAll(true)}>
            <Plural value={rest} one="Show # more" other="Show # more" />
          </Button>
        </p>
      )}
    </>
  );
}

/** Tools to test with: one form for each, and below it what was asked in this session. */
import { Trans, useLingui } from "@lingui/react/macro";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { Notice } from "@/parts/base/Notice.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { Result } from "./Result.tsx";
import { runs, start } from "./runs.ts";
import { ToolForm } from "./ToolForm.tsx";
import { TOOLS } from "./tools.ts";
import css from "./Tools.module.css";

export default function ToolsScreen() {
  const { t, i18n } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [words, change] = useUrl();
  const tool = TOOLS.find((each) => each.id === words.tab) ?? TOOLS[0];
  const all = useStore(runs);
  if (!tool) return null;
  const given = Object.fromEntries(
    tool.inputs.flatMap(({ name }) => (name in words ? [[name, words[name] ?? ""]] : [])),
  );
  const own = all.filter((run) => run.tool === tool.id);
  const running = all.filter((run) => run.state === "running");
  return (
    <Page title={t`Tools`} summary={running.length > 0 ? t`${running.length} running` : ""}>
      <Tabs
        tabs={TOOLS.map((each) => ({ id: each.id, title: i18n._(each.title) }))}
        value={tool.id}
        onChange={(tab) => change({ ...Object.fromEntries(Object.keys(words).map((name) => [name, null])), tab })}
      />
      <Scroll label={t`Tools`}>
        <div className={css.tool}>
          <ToolForm
            key={tool.id}
            tool={tool}
            given={given}
            onStart={(typed) => {
              change(typed);
              void start(tool, typed);
            }}
            because={may || tool.forReaders ? undefined : t`Your right is to look, not to call other servers`}
          />
          {own.length === 0 && (
            <Notice icon="tool" title={<Trans>Nothing was asked yet.</Trans>}>
              <p>
                <Trans>What is said appears here, and stays while you look at other screens.</Trans>
              </p>
            </Notice>
          )}
          {own.map((run) => (
            <Result key={run.id} run={run} again={() => void start(tool, run.typed)} />
          ))}
        </div>
      </Scroll>
    </Page>
  );
}

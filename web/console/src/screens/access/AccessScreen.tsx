/** Who and what may administer: API tokens, and browsers that are signed in to the console. */
import { useLingui } from "@lingui/react/macro";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { AddTokenButton } from "./AddToken.tsx";
import { SessionList } from "./SessionList.tsx";
import { TokenList } from "./TokenList.tsx";

export default function AccessScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const [words, change] = useUrl();
  // Not `tab`: that is of the drawer.
  const tab = words.list === "sessions" ? "sessions" : "tokens";
  return (
    <Page title={t`Access`} summary={who?.domains?.join(", ")} action={tab === "tokens" && <AddTokenButton />}>
      <Tabs
        tabs={[
          { id: "tokens", title: t`API tokens` },
          { id: "sessions", title: t`Console sessions` },
        ]}
        value={tab}
        onChange={(id) => change({ list: id === "tokens" ? null : id, open: null, add: null, q: null, sort: null })}
      />
      {tab === "tokens" ? <TokenList /> : <SessionList />}
    </Page>
  );
}

import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, octets, shortTime, span } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import type { ListModel } from "@/parts/list/model.ts";
import { Secured } from "./columns.tsx";
import type { ConnectionRow } from "./connection.ts";

interface Props {
  id: string;
  model: ListModel<ConnectionRow>;
  /** Null: may only look. */
  disconnect: ((body: { ids?: readonly string[]; user?: string; address?: string }) => Promise<void>) | null;
  onClose: () => void;
}

export function ConnectionDrawer({ id, model, disconnect, onClose }: Props) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.id === id);
  const [last, setLast] = useState(row);
  useEffect(() => {
    if (row) setLast(row);
  }, [row]);
  const known = row ?? last;
  const over = !row || view.gone.has(id);
  const title = known ? known.user || known.address : t`Session ${id}`;
  return (
    <Drawer
      title={title}
      label={title}
      subtitle={known && t`${known.service}, since ${shortTime(new Date(known.since))}`}
      onClose={onClose}
      footer={
        known &&
        disconnect &&
        !over && (
          <>
            <Button kind="danger" icon="plug" onClick={() => void disconnect({ ids: [id] })}>
              <Trans>Disconnect</Trans>
            </Button>
            <Menu position="top-start">
              <Menu.Target>
                <Button icon="down">
                  <Trans>Disconnect all</Trans>
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                {known.user && (
                  <Menu.Item leftSection={<Icon name="user" />} onClick={() => void disconnect({ user: known.user })}>
                    <Trans>All of {known.user}</Trans>
                  </Menu.Item>
                )}
                <Menu.Item
                  leftSection={<Icon name="globe" />}
                  onClick={() => void disconnect({ address: known.address })}
                >
                  <Trans>All from {known.address}</Trans>
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </>
        )
      }
    >
      {!known ? (
        view.state === "ready" && <Notice icon="plug" title={<Trans>This connection is over.</Trans>} />
      ) : (
        <>
          <Verdict
            mood={over ? "muted" : "info"}
            icon="plug"
            title={over ? t`This connection is over.` : known.command ? t`At ${known.command}` : t`Waits for a command`}
          >
            {!over && <p className="muted">{t`The client last said something ${span(known.idle)} ago.`}</p>}
          </Verdict>
          <Facts
            facts={[
              [
                t`User`,
                known.user ? (
                  <Link key="user" to="/users" search={{ open: known.user } as never}>
                    {known.user}
                  </Link>
                ) : (
                  t`not signed in`
                ),
              ],
              [t`Service`, known.service],
              [t`Address`, <code key="ip">{known.address}</code>],
              [t`TLS`, <Secured key="tls" row={known} />],
              known.cipher !== "" && [t`Cipher`, known.cipher],
              [t`Since`, <Moment key="since" at={known.since} />],
              [t`Octets in`, octets(known.received)],
              [t`Octets out`, octets(known.sent)],
              [t`Session`, <code key="id">{known.id}</code>],
              [t`Process`, known.process],
            ]}
          />
          <p className="muted" style={{ marginTop: 16 }}>
            <Link to="/logs" search={{ log: "all", q: known.address } as never} className="link">
              <Trans>What the logs say of {known.address}</Trans>
            </Link>
          </p>
        </>
      )}
    </Drawer>
  );
}

/** Thin bars over every screen: not live, no room for mail, only reading, waiting for a restart. */
import { Plural, Trans } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useLiveStatus, useTopic } from "@/api/live.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { shortTime } from "@/parts/base/Moment.tsx";
import { restarts } from "./restarts.ts";
import css from "./Bars.module.css";

/** A server that is back within this time was hardly away. */
const PATIENCE = 2000;

export function Bars() {
  const who = useStore(me);
  const waiting = useStore(restarts);
  return (
    <>
      <NotLive />
      <PutOff />
      {who?.right === "server-read" && (
        <p className={css.bar}>
          <Icon name="eye" />
          <Trans>You may look at the whole server, but not change it: your right is “server-read”.</Trans>
        </p>
      )}
      {waiting.length > 0 && (
        <p className={css.bar} title={waiting.join("\n")}>
          <Icon name="redo" />
          <Plural
            value={waiting.length}
            one="# setting takes effect when the server is restarted."
            other="# settings take effect when the server is restarted."
          />
        </p>
      )}
    </>
  );
}

/** No mail is taken in: whoever looks at the console at all has to know. */
function PutOff() {
  const [disk, setDisk] = useState<Disk | undefined>();
  useTopic<{ checks: readonly Disk[] }>("health", ({ checks }) =>
    setDisk(checks.find((each) => each.check === "disk" && each.state === "error")),
  );
  return (
    <div role="alert">
      {disk && (
        <p className={`${css.bar} ${css.full}`}>
          <Icon name="disk" />
          <span>
            <b>
              <Trans>Mail is being put off, nothing is lost</Trans>
            </b>
            {", "}
            <Trans>since {shortTime(new Date(disk.since))}.</Trans> <span>{disk.text}</span>
          </span>
          <Link to="/storage" className="link">
            <Trans>Make room</Trans>
          </Link>
        </p>
      )}
    </div>
  );
}

interface Disk {
  readonly check: string;
  readonly state: string;
  readonly since: string;
  readonly text: string;
}

function NotLive() {
  const { state, since } = useLiveStatus();
  const [long, setLong] = useState(false);
  useEffect(() => {
    setLong(false);
    if (state !== "retrying") return undefined;
    const timer = setTimeout(() => setLong(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [state]);
  const time = shortTime(new Date(since));
  return (
    <div role="status">
      {long && (
        <p className={`${css.bar} ${css.late}`}>
          <Icon name="plug" />
          <Trans>Not live since {time}, retrying</Trans>
        </p>
      )}
    </div>
  );
}

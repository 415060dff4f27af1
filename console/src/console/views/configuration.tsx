// The settings in force with where each comes from, and a reload with its plan.

import { useState } from "preact/hooks";

import { type Notice, type Report, type Setting, ApiError, ask } from "../api";
import { Icon } from "../../ui/icon";
import { Badge, Note, Trouble } from "../parts";
import { CopyLine } from "../../ui/copy";
import { usePoll } from "../poll";
import { apiSettings, loadSite, readOnly, vhosts } from "../site";

interface Configuration {
  number: number;
  file: string;
  notices: Notice[];
}

const SERVER = "";

export function ConfigurationView() {
  const [vhost, setVhost] = useState(SERVER);
  const [words, setWords] = useState("");
  const [written, setWritten] = useState(true);
  const { value, error, again } = usePoll(
    async () => {
      const query = vhost ? `vhost=${encodeURIComponent(vhost)}&` : "";
      const [{ configuration }, { settings }] = await Promise.all([
        ask<{ configuration: Configuration }>("config"),
        ask<{ settings: Setting[] }>(`config/settings?${query}count=500`),
      ]);
      return { configuration, settings };
    },
    10,
    vhost,
  );
  if (!value) return <Trouble error={error} />;
  const prefix = vhost ? `vhost ${vhost}.` : "";
  const asked = words.toLowerCase();
  const found = value.settings
    .map((each) => ({ ...each, name: each.setting.startsWith(prefix) ? each.setting.slice(prefix.length) : each.setting }))
    .filter((each) => (!written || kindOf(each.source) !== "default") && (!asked || `${each.name} ${each.value} ${each.source}`.toLowerCase().includes(asked)));
  const blocks = new Map<string, typeof found>();
  for (const each of found) {
    const block = each.name.includes(".") ? each.name.slice(0, each.name.lastIndexOf(".")) : "";
    blocks.set(block, [...(blocks.get(block) ?? []), each]);
  }
  return (
    <>
      <Trouble error={error} />
      <Reload configuration={value.configuration} again={again} />
      {value.configuration.notices.length > 0 && (
        <details class="card pad notices">
          <summary>
            {value.configuration.notices.length === 1 ? "One notice" : `${value.configuration.notices.length} notices`} about this configuration
          </summary>
          <ul>
            {value.configuration.notices.map((each) => (
              <li key={`${each.file}:${each.line}:${each.column} ${each.message}`}>
                <Badge tone={each.kind === "advice" ? "warn" : ""}>{each.kind}</Badge> {each.message}
                {each.file && (
                  <code class="muted">
                    {" "}
                    {each.file}
                    {each.line ? `:${each.line}` : ""}
                  </code>
                )}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div class="toolbar">
        <label class="pick">
          <span class="hidden">Settings of</span>
          <select value={vhost} onChange={(event) => setVhost(event.currentTarget.value)}>
            <option value={SERVER}>Server</option>
            {vhosts.value.map((each) => (
              <option key={each.id} value={each.name}>
                vhost {each.name}
              </option>
            ))}
          </select>
        </label>
        <div class="segments" role="group" aria-label="Which settings">
          <button type="button" aria-pressed={written} onClick={() => setWritten(true)}>
            Written
          </button>
          <button type="button" aria-pressed={!written} onClick={() => setWritten(false)}>
            All {value.settings.length}
          </button>
        </div>
        <label class="search">
          <span class="hidden">Search settings</span>
          <input type="search" placeholder="Search settings" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        </label>
      </div>
      {found.length === 0 && <Note tone="info">{written ? "All settings found have their defaults." : "No setting has these words."}</Note>}
      <div class="settings">
        {[...blocks].map(([block, rows]) => (
          <section key={block} class="card">
            <h3>{block ? <code>{block}</code> : "Top of the file"}</h3>
            <table>
              <tbody>
                {rows.map((each) => (
                  <tr key={each.setting}>
                    <th scope="row">
                      <code>{each.name.slice(block ? block.length + 1 : 0)}</code>
                    </th>
                    <td>
                      <code class="value">{each.value}</code>
                    </td>
                    <td class="end">
                      <span class={`source ${kindOf(each.source)}`}>{sourceText(each.source)}</span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        ))}
      </div>
    </>
  );
}

/** What kind of source a setting has: default, derived, environment, option or file. */
function kindOf(source: string): string {
  const first = source.split(" ")[0] ?? "";
  return ["default", "derived", "environment", "option"].includes(first) ? first : "file";
}

function sourceText(source: string): string {
  // The path is the same for most rows: the file and the line tell them apart.
  return kindOf(source) === "file" ? (source.split("/").pop() ?? source) : source;
}

const ORDER: [string, string, string][] = [
  ["at once", "good", "In force at once"],
  ["for new connections", "info", "For new connections"],
  ["after a restart", "warn", "Need a restart"],
  ["never: it has no effect", "away", "Have no effect"],
];

function Reload({ configuration, again }: { configuration: Configuration; again: () => void }) {
  const [plan, setPlan] = useState<Report | null>(null);
  const [done, setDone] = useState<Report | null>(null);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState("");
  const raw = apiSettings.value?.raw_api;
  const allowed = raw?.enabled && raw.allow_reload;
  const run = (what: string, act: () => Promise<void>) => {
    setBusy(what);
    setProblem("");
    act()
      .catch((failure: ApiError) => setProblem(failure.code === 1061 ? "there is no file to read again, or http_api.raw_api does not allow it" : failure.message))
      .finally(() => setBusy(""));
  };
  const look = () =>
    run("plan", async () => {
      setDone(null);
      setPlan((await ask<{ plan: Report }>("raw?rpc=reload-plan")).plan);
    });
  const reload = () =>
    run("reload", async () => {
      const before = (await fetched()).rid;
      await ask("raw?rpc=reload");
      for (let look = 0; look < 60; look += 1) {
        const data = await fetched();
        if (data.rid !== before && data.state === 90 && data.report) {
          setPlan(null);
          setDone(data.report);
          await loadSite();
          again();
          return;
        }
        await new Promise((resume) => setTimeout(resume, 250));
      }
      setProblem("the server has not told how the reload went");
    });
  return (
    <section class="card pad reload" aria-labelledby="reload">
      <header class="section">
        <div>
          <h2 id="reload">Configuration {configuration.number}</h2>
          <code class="muted">{configuration.file}</code>
        </div>
        {allowed && (
          <div class="actions">
            <button type="button" disabled={busy !== ""} onClick={look}>
              <Icon name="eye" size={18} /> {busy === "plan" ? "Reading…" : "What would a reload change?"}
            </button>
            {!readOnly.value && plan?.good && (
              <button type="button" class="primary" disabled={busy !== ""} onClick={reload}>
                <Icon name="reload" size={18} /> {busy === "reload" ? "Reloading…" : "Reload"}
              </button>
            )}
          </div>
        )}
      </header>
      {raw && !allowed && (
        <details>
          <summary>Reloads from here are off</summary>
          <p class="muted">This in the configuration permits them. Whoever reaches the API may reload then, so set a password too.</p>
          <CopyLine label="in the file" wrap text="http_api { raw_api { enabled on; allow_reload on; } auth { enabled on; username NAME; password PASSWORD; } }" />
        </details>
      )}
      {problem && <Note tone="bad">{problem}</Note>}
      {plan && <ReportView report={plan} title={plan.good ? "A reload would change" : "These files cannot be in force"} />}
      {done && <ReportView report={done} title={done.good ? `Configuration ${done.configuration} is in force` : "The configuration stays as it is"} />}
    </section>
  );
}

async function fetched(): Promise<{ rid: string; state: number; report?: Report }> {
  return (await ask<{ data: { rid: string; state: number; report?: Report } }>("raw?rpc=reload-fetch")).data;
}

function ReportView({ report, title }: { report: Report; title: string }) {
  return (
    <div class="report" role="status">
      <h3>{title}</h3>
      {report.problems.map((each) => (
        <Note key={each} tone="bad">
          {each}
        </Note>
      ))}
      {report.good && report.changes.length === 0 && <Note tone="good">Nothing: the files say what is in force.</Note>}
      {ORDER.map(([when, tone, heading]) => {
        const rows = report.changes.filter((each) => each.when === when);
        if (rows.length === 0) return null;
        return (
          <section key={when}>
            <h4>
              <Badge tone={tone}>{heading}</Badge>
            </h4>
            <ul class="changes">
              {rows.map((each) => (
                <li key={each.setting}>
                  <code>{each.setting}</code>
                  <span>
                    <del>{each.old}</del> → <ins>{each.new}</ins>
                  </span>
                  <span class="muted">{each.place.split("/").pop()}</span>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
      {report.next_publish.length > 0 && (
        <p>
          Running streams take from their next publish on: <code>{report.next_publish.join(", ")}</code>
        </p>
      )}
    </div>
  );
}

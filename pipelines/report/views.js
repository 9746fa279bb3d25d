// The tiles of the overview, the story of a call, and moving between pages.

function tile(name, ...lines) {
  const [first, ...rest] = lines;
  return element("div", { className: "tile" }, element("span", {}, name), element("b", {}, first), ...rest.map((one) => element("span", {}, one)));
}

function tiles(filter) {
  const names = ["calls", "outcome_known_calls", "answered_calls", "timed_calls", "total_seconds", "final_calls", "due_calls", "priced_calls", "converted_calls", "cost_reporting"];
  const [calls] = addUp(filtered("calls", filter), [], names, KINDS.calls);
  if (!calls) return [tile("Calls", "0", "none on these dates for these filters")];
  const spend = addUp(filtered("spend", filter), ["currency"], ["amount"], KINDS.spend);
  const amounts = spend.filter((one) => one.amount !== null).map((one) => `${said(one.amount, 2)} ${one.currency}`);
  const minutes = calls.total_seconds === null ? null : Number(calls.total_seconds) / 60;
  const reported = calls.cost_reporting === null ? "unknown" : `${said(calls.cost_reporting, 2)} ${CONTEXT.reporting_currency}`;
  const lost = metricsOf({ metrics: ["abandonment"] }, filter);
  const days = filtered("coverage", filter).filter((row) => row.is_required);
  const over = new Set(days.filter((row) => row.state !== "not over").map((row) => `${row.vendor} ${row.account} ${row.day}`));
  const odd = days.filter((row) => ["partial", "missing", "unreachable"].includes(row.state));
  const absent = new Set(odd.map((row) => `${row.vendor} ${row.account} ${row.day}`));
  return [
    tile("Calls", said(calls.calls)),
    tile("Minutes", minutes === null ? "unknown" : said(Math.round(minutes)), `of ${said(calls.timed_calls)} calls whose length is known`),
    tile("Spend", amounts[0] ?? "unknown", ...amounts.slice(1), "all that is paid, as far as it is known"),
    tile(`Spend in ${CONTEXT.reporting_currency}`, reported, `of ${said(calls.converted_calls)} of ${said(calls.priced_calls)} calls with a cost (${percent(calls.converted_calls, calls.priced_calls)}); without base costs`),
    tile("Answered", percent(calls.answered_calls, calls.outcome_known_calls), `of ${said(calls.outcome_known_calls)} calls whose outcome is known`),
    ...lost.filter((one) => ["offered", "queued"].includes(one.variant)).map((one) =>
      tile(`Abandoned, of the ${one.variant}`, one.value === null ? "unknown" : `${one.value.toFixed(1)} %`, `of ${said(one.known)} calls`)),
    tile("Cost that is final", percent(calls.final_calls, calls.due_calls), `of ${said(calls.due_calls)} calls that cost something`),
    tile("Days not all there", said(absent.size), `of ${said(over.size)} days of accounts that are over`),
  ];
}

const GROUPS = {
  "What became of it": ["outcome", "outcome_stage", "hangup_by", "is_transferred", "is_bot_handled"],
  When: ["started_at", "answered_at", "ended_at"],
  Who: ["customer_number", "business_number", "country", "queue_name", "agent_name", "agent_count", "leg_count"],
  "How long, in seconds": ["line_seconds", "ivr_seconds", "queue_seconds", "ring_seconds", "talk_seconds", "hold_seconds", "wrap_seconds"],
  "What it cost": ["cost_total", "currency", "cost_status", "cost_source", "cost_telephony", "cost_transfer", "cost_bot", "cost_ai", "cost_recording", "cost_transcription", "cost_other", "cost_unallocated", "cost_reporting", "reporting_currency", "cost_center", "payer_name"],
};

function story(row) {
  const kind = row.call_type === row.direction ? row.direction : `${row.direction} ${row.call_type}`;
  const parts = Object.entries(GROUPS).map(([title, names]) => {
    const list = element("dl");
    for (const name of names.filter((one) => one in row)) {
      const value = said(row[name]);
      const shown = element("dd", { className: row[name] === null ? "unknown" : "" }, value);
      list.append(element("dt", {}, name.replaceAll("_", " ")), shown);
    }
    return element("div", { className: "story" }, element("h3", {}, title), list);
  });
  const head = element("p", {}, `${kind} call of ${row.vendor}, account ${row.account}. All of it: `, element("code", {}, `callhouse explain ${row.call_key}`));
  return [head, element("div", { className: "grid" }, ...parts)];
}

function makeStories(section) {
  if (!TABLES.stories.length) {
    section.append(element("p", {}, "No call is shown one by one: there is none on these dates, or [report] calls is 0. callhouse explain shows any call."));
    return;
  }
  const choices = TABLES.stories.map((row) => {
    const cost = row.cost_total === null ? "cost unknown" : `${row.cost_total} ${row.currency}`;
    return new Option(`${row.started_at}, ${row.vendor}, ${row.outcome}, ${cost}`, row.call_key);
  });
  const select = element("select", { id: "call" }, ...choices);
  const place = element("div", { ariaLive: "polite" });
  select.addEventListener("change", () => { location.hash = `call=${encodeURIComponent(select.value)}`; });
  section.append(element("p", {}, element("label", { htmlFor: "call" }, "The last calls, and the dearest "), select), place);
  section.tell = (key) => {
    const row = TABLES.stories.find((one) => one.call_key === key) ?? TABLES.stories[0];
    select.value = row.call_key;
    place.replaceChildren(...story(row));
  };
  section.tell();
}

const sections = () => [...document.querySelectorAll("section")];
const idOf = (page) => page.toLowerCase().replace(/[^a-z]+/g, "-").replace(/-$/, "");

function makePages() {
  const c = CONTEXT;
  const without = c.calls_without_date ? ` ${said(c.calls_without_date)} calls have no known start, and are on no date.` : "";
  document.getElementById("context").textContent =
    `As of ${c.as_of} (${c.reporting_time_zone}). Dates ${c.first_date} to ${c.last_date} of ${said(c.all_calls)} calls in all.${without}`;
  for (const page of DATA.pages) {
    const id = idOf(page);
    document.getElementById("pages").append(element("a", { href: `#${id}` }, page));
    // Not the address of the link, to which the browser would scroll.
    const section = element("section", { id: `page-${id}`, hidden: true, ariaLabel: page }, element("h2", {}, page));
    if (page === DATA.pages[0]) section.append(element("div", { className: "tiles", ariaLive: "polite" }));
    if (page === DATA.pages.at(-1)) makeStories(section);
    section.append(element("div", { className: "grid" }, ...DATA.charts.filter((one) => one.page === page).map(figureOf)));
    document.getElementById("main").append(section);
  }
}

function show() {
  const [, key] = location.hash.split("call=");
  const all = sections();
  const wanted = key ? all.at(-1) : all.find((one) => one.id === `page-${location.hash.slice(1)}`) ?? all[0];
  for (const one of all) one.hidden = one !== wanted;
  form.hidden = wanted === all.at(-1);
  for (const link of document.querySelectorAll("nav a")) {
    if (`page-${link.hash.slice(1)}` === wanted.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (key && wanted.tell) wanted.tell(decodeURIComponent(key));
  return drawAll(wanted);
}

// Draw the charts of a page again where the filters, the width or the colours changed.
async function drawAll(section) {
  const filter = chosen();
  const state = JSON.stringify([{ ...filter, vendors: [...filter.vendors] }, section.clientWidth, dark.matches]);
  if (section.state === state) return;
  section.state = state;
  delete section.dataset.drawn;
  section.querySelector(".tiles")?.replaceChildren(...tiles(filter));
  for (const figure of section.querySelectorAll("figure")) {
    await draw(figure, filter);
    if (section.state !== state) return; // somebody chose something else meanwhile
  }
  section.dataset.drawn = "yes";
}

// Printed are all pages, so all are drawn; a page that is hidden gets the width of the one shown.
async function drawForPrint() {
  for (const section of sections()) {
    const wasHidden = section.hidden;
    section.hidden = false;
    await drawAll(section);
    section.hidden = wasHidden;
  }
}

let waiting;
function later(work) {
  clearTimeout(waiting);
  waiting = setTimeout(work, 60);
}

makeFilters();
makePages();
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show)); // once all is as it was
addEventListener("hashchange", show);
addEventListener("resize", () => later(show));
addEventListener("beforeprint", drawForPrint);
dark.addEventListener("change", () => later(show));
show();

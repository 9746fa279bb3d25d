// The page: filters above, a section for each page, a figure for each chart.

const DATA = JSON.parse(document.getElementById("data").textContent);
const CONTEXT = DATA.context;
const TABLES = {};
const KINDS = {};
for (const [name, columns] of Object.entries(DATA.tables)) {
  TABLES[name] = unpack(columns);
  KINDS[name] = Object.fromEntries(Object.entries(columns).map(([key, own]) => [key, own.kind]));
}
const FILTERS = { account: "account", direction: "direction", cost_center: "cost center" };
const MOST_ROWS = 200;
const form = document.getElementById("filters");
const dark = matchMedia("(prefers-color-scheme: dark)");

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Filters

function options(name) {
  const values = new Set();
  for (const rows of [TABLES.calls, TABLES.spend, TABLES.coverage]) {
    for (const row of rows) if (row[name]) values.add(row[name]);
  }
  return [...values].sort();
}

function makeFilters() {
  for (const name of options("vendor")) {
    const box = element("input", { type: "checkbox", name: "vendor", value: name, defaultChecked: true });
    document.getElementById("vendors").append(element("label", {}, box, ` ${name}`));
  }
  document.getElementById("vendors").hidden = !options("vendor").length;
  for (const name of Object.keys(FILTERS)) {
    const choices = options(name);
    form[name].append(new Option("all", ""), ...choices.map((one) => new Option(one, one)));
    if (choices.length < 2) form[name].parentElement.hidden = true;
  }
  for (const [name, value] of [["first", CONTEXT.first_date], ["last", CONTEXT.last_date]]) {
    Object.assign(form[name], { defaultValue: value, min: CONTEXT.first_date, max: CONTEXT.last_date });
  }
}

function chosen() {
  const boxes = [...form.querySelectorAll("[name=vendor]")];
  const found = { vendors: new Set(boxes.filter((one) => one.checked).map((one) => one.value)) };
  found.all = found.vendors.size === boxes.length;
  for (const name of Object.keys(FILTERS)) found[name] = form[name].value;
  found.first = form.first.value || CONTEXT.first_date;
  found.last = form.last.value || CONTEXT.last_date;
  found.allDates = found.first <= CONTEXT.first_date && found.last >= CONTEXT.last_date;
  return found;
}

function dateOf(table) {
  return ["call_date", "day"].find((name) => name in KINDS[table]);
}

function filtered(table, filter) {
  const date = dateOf(table);
  return TABLES[table].filter(
    (row) =>
      (!("vendor" in row) || row.vendor === null || row.vendor === "" || filter.vendors.has(row.vendor)) &&
      Object.keys(FILTERS).every((name) => !filter[name] || !(name in row) || row[name] === filter[name]) &&
      (!date || (row[date] >= filter.first && row[date] <= filter.last)),
  );
}

// Return which of the chosen filters a table has no column for.
function unfiltered(table, filter) {
  if (!TABLES[table].length) return [];
  const found = Object.keys(FILTERS).filter((name) => filter[name] && !(name in KINDS[table]));
  const names = found.map((name) => FILTERS[name]);
  if (!filter.all && !("vendor" in KINDS[table])) names.push("vendor");
  if (!filter.allDates && !dateOf(table)) names.push("dates");
  return names;
}

// Charts

function rowsOf(chart, filter) {
  if (chart.metrics.length) return metricsOf(chart, filter);
  const kinds = KINDS[chart.query];
  let rows = filtered(chart.query, filter);
  for (const [name, values] of Object.entries(chart.where)) {
    rows = rows.filter((row) => values.includes(row[name]));
  }
  if (!chart.by.length) return rows;
  rows = addUp(rows, chart.by, chart.sums, kinds, chart.count);
  for (const row of rows) {
    for (const [name, [over, under, factor]] of Object.entries(chart.rates)) {
      row[name] = quotient(row[over], row[under], factor);
    }
  }
  return rows;
}

function metricsOf(chart, filter) {
  const names = Object.keys(KINDS.service).filter((name) => /_(calls|seconds)$|^cost_/.test(name));
  const [total] = addUp(filtered("service", filter), [], names, KINDS.service);
  if (!total) return [];
  const [{ calls }] = addUp(filtered("calls", { ...filter, cost_center: "" }), [], ["calls"], KINDS.calls);
  return TABLES.metrics
    .filter((one) => chart.metrics[0] === "*" || chart.metrics.includes(one.metric))
    .map((one) => {
      const under = evaluate(one.denominator, total);
      const unit = one.unit === "reporting_currency" ? CONTEXT.reporting_currency : one.unit;
      const value = quotient(evaluate(one.numerator, total), under, one.factor);
      const exact = unit === CONTEXT.reporting_currency && value !== null ? value.toFixed(6) : value;
      return { metric: one.metric, variant: one.variant, value: exact, unit, known: under, all_calls: calls, definition: one.definition };
    });
}

// Return the rows with what is drawn: decimals as numbers, NULL as a word in a name.
function drawn(rows, chart) {
  const numbers = new Set(chart.query in KINDS ? [...chart.sums, ...Object.keys(KINDS[chart.query])] : []);
  const kinds = KINDS[chart.query];
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => {
        if (value === null && kinds[name] !== "decimal" && kinds[name] !== "number" && chart.by.includes(name)) {
          return [name, "unknown"];
        }
        if (typeof value === "string" && numbers.has(name) && kinds[name] === "decimal") return [name, Number(value)];
        return [name, value];
      }),
    ),
  );
}

// Return how many names stand at the left of a chart, and how wide they are.
function names(values, field) {
  const found = new Set(values.map((row) => row[field] ?? `${row.vendor} ${row.account} ${row.stream ?? ""}`));
  return { count: found.size, width: 7 * Math.max(...[...found].map((one) => `${one}`.length)) };
}

function sized(spec, values, figure) {
  const width = Math.max(140, figure.clientWidth - 26);
  const { row, y } = spec.encoding;
  const labels = Math.round(Math.min(220, width * 0.4));
  const left = y.type === "nominal" ? Math.min(labels, names(values, y.field).width) + 40 : 70;
  const isFree = row || !spec.height.step;
  const height = isFree ? spec.height : spec.height.step * names(values, y.field).count;
  const config = themed(labels, width - left);
  if (row) return { ...spec, width: width - left, config };
  return { ...spec, width, height, config, autosize: { type: "fit-x", contains: "padding" } };
}

function themed(labels, room) {
  const style = getComputedStyle(document.documentElement);
  const body = getComputedStyle(document.body);
  const [ink, line] = [body.color, style.getPropertyValue("--line")];
  const text = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
  return {
    background: "transparent",
    font: body.fontFamily,
    aria: false,
    mark: { tooltip: true },
    view: { stroke: "transparent" },
    axisY: { labelLimit: labels },
    axis: { ...text, gridColor: line, domainColor: line, tickColor: line },
    legend: { ...text, columns: Math.max(1, Math.floor(room / 125)), labelLimit: 200 },
    header: { ...text, labelFontWeight: "bold" },
  };
}

async function draw(figure, filter) {
  const chart = figure.chart;
  const rows = rowsOf(chart, filter);
  const place = figure.querySelector(".drawing");
  const values = drawn(rows, chart);
  const isEmpty = !rows.length || !hasValue(rows, chart);
  figure.querySelector(".note").replaceChildren(notes(chart, filter, rows, isEmpty));
  if (chart.spec && !isEmpty) {
    const spec = sized({ ...chart.spec, data: { values } }, values, figure);
    await vegaEmbed(place, spec, {
      actions: false,
      renderer: "svg",
      ast: true,
      tooltip: { theme: dark.matches ? "dark" : undefined },
    });
    // After Vega, which says that it is a document: a screen reader gets the table instead.
    place.removeAttribute("aria-roledescription");
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", `${chart.title}. The numbers are in the table below.`);
  } else {
    place.replaceChildren();
    place.removeAttribute("role");
    place.removeAttribute("aria-label");
  }
  figure.querySelector(".rows").replaceChildren(isEmpty ? "" : table(rows, chart));
}

// Return whether there is a value to draw: NULLs alone are no chart.
function hasValue(rows, chart) {
  const rates = chart.metrics.length ? ["value"] : Object.keys(chart.rates);
  const names = [chart.drawn, rates, chart.sums].find((one) => one.length);
  return !chart.spec || rows.some((row) => names.some((name) => row[name] !== null));
}

function notes(chart, filter, rows, isEmpty) {
  const parts = [];
  if (isEmpty) parts.push(chart.if_empty);
  else if (chart.note) parts.push(chart.note);
  if (chart.known && !isEmpty) {
    const [all, known, lack] = chart.known;
    const total = sum(rows.map((row) => row[all]), "number") ?? 0;
    const missing = total - (sum(rows.map((row) => row[known]), "number") ?? 0);
    parts.push(`${said(missing)} of ${said(total)} calls (${percent(missing, total)}) ${lack}.`);
  }
  if (chart.query === "spend" && !isEmpty) {
    const own = { ...filter, direction: "" }; // which the costs do not have
    const [calls] = addUp(filtered("calls", own), [], ["due_calls", "pending_calls"], KINDS.calls);
    const { due_calls: due, pending_calls: pending } = calls ?? { due_calls: 0, pending_calls: 0 };
    parts.push(`${said(pending)} of ${said(due)} calls that cost something (${percent(pending, due)}) have a cost that is still to come, wholly or in part.`);
  }
  const names = unfiltered(chart.query, filter);
  if (names.length) parts.push(`Not filtered by ${names.join(", ")}: it is not known by that here.`);
  return parts.join(" ");
}

function table(rows, chart) {
  const names = chart.columns.length ? chart.columns : Object.keys(rows[0]);
  const kinds = KINDS[chart.query] ?? {};
  const isNumber = (name) =>
    rows.some((row) => typeof row[name] === "number") || kinds[name] === "decimal";
  const head = names.map((name) =>
    element("th", { scope: "col", className: isNumber(name) ? "number" : "" }, name.replaceAll("_", " ")),
  );
  const body = rows.slice(0, MOST_ROWS).map((row) =>
    element("tr", {}, ...names.map((name) => cell(name, row[name], isNumber(name)))),
  );
  const made = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  const more = rows.length - MOST_ROWS;
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Numbers: ${chart.title}` }, made);
  return more > 0 ? element("div", {}, scroll, element("p", {}, `${said(more)} more rows.`)) : scroll;
}

function cell(name, value, isNumber) {
  const made = element("td", { className: isNumber ? "number" : "" });
  if (value === null || value === undefined) made.classList.add("unknown");
  if (`${value}`.length > 48) made.classList.add("long");
  const text = isNumber && typeof value === "string" ? grouped(value) : said(value);
  made.append(name === "call_key" ? element("a", { href: `#call=${encodeURIComponent(value)}` }, text) : text);
  return made;
}

function figureOf(chart) {
  const drawing = element("div", { className: "drawing" });
  const rows = element("div", { className: "rows" });
  const sql = element("pre", { tabIndex: 0, ariaLabel: `Query: ${chart.title}`, role: "region" }, DATA.sql[chart.query]);
  const made = element("figure", {}, element("h3", {}, chart.title), element("p", { className: "note" }), drawing);
  if (chart.spec) {
    made.append(element("details", {}, element("summary", {}, `Numbers: ${chart.title}`), rows));
  } else made.append(rows);
  made.append(element("details", {}, element("summary", {}, `Query: ${chart.title}`), sql));
  if (!chart.spec) made.classList.add("wide");
  made.chart = chart;
  return made;
}

"use strict";
// Rows: unpacking, filtering and adding up. Decimals stay texts, and are added exactly.

const PLACES = 9;

function toUnits(text) {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const units = BigInt(whole + part.padEnd(PLACES, "0").slice(0, PLACES));
  return text.startsWith("-") ? -units : units;
}

function fromUnits(units) {
  const digits = `${units < 0n ? -units : units}`.padStart(PLACES + 1, "0");
  const part = digits.slice(-PLACES).replace(/0+$/, "");
  return (units < 0n ? "-" : "") + digits.slice(0, -PLACES) + (part && `.${part}`);
}

// Return the sum of what is known; null: nothing is.
function sum(values, kind) {
  const known = values.filter((one) => one !== null);
  if (!known.length) return null;
  if (kind === "decimal") return fromUnits(known.map(toUnits).reduce((a, b) => a + b, 0n));
  return known.reduce((a, b) => a + b, 0);
}

function unpack(columns) {
  const names = Object.keys(columns);
  const values = names.map((name) => {
    const { words, places, values: own } = columns[name];
    return words ? places.map((place) => words[place]) : own;
  });
  const count = values.length ? values[0].length : 0;
  return Array.from({ length: count }, (_, place) =>
    Object.fromEntries(names.map((name, at) => [name, values[at][place]])),
  );
}

function addUp(rows, by, sums, kinds, count) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify(by.map((name) => row[name]));
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.values()].map((own) => ({
    ...Object.fromEntries(by.map((name) => [name, own[0][name]])),
    ...Object.fromEntries(
      sums.map((name) => [name, sum(own.map((row) => row[name]), kinds[name])]),
    ),
    ...(count ? { [count]: own.length } : {}),
  }));
}

// Return a quotient; null: one of both is not known, or the denominator is 0.
function quotient(over, under, factor) {
  if (over === null || under === null || Number(under) === 0) return null;
  return (factor * Number(over)) / Number(under);
}

// Return the value of a sum or difference of columns, such as "a + b - c"; null: one is.
function evaluate(expression, total) {
  let value = 0;
  for (const [, sign, name] of ` ${expression}`.matchAll(/([+-]?)\s*([a-z_]+)/g)) {
    if (total[name] === null || total[name] === undefined) return null;
    value += Number(total[name]) * (sign === "-" ? -1 : 1);
  }
  return value;
}

function grouped(digits) {
  const [whole, part] = digits.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? `.${part}` : "");
}

// Return a value in words; a decimal has the places that it has, or `places` of them.
function said(value, places) {
  if (value === null || value === undefined) return "unknown";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number") return grouped(value.toFixed(Number.isInteger(value) ? 0 : 1));
  if (places !== undefined && /^-?\d+(\.\d+)?$/.test(value)) {
    const step = 10n ** BigInt(PLACES - places);
    const units = toUnits(value);
    const near = (units + (units < 0n ? -step : step) / 2n) / step;
    const text = fromUnits(near * step);
    const [whole, part = ""] = text.split(".");
    return grouped(`${whole}.${part.padEnd(places, "0")}`);
  }
  return value;
}

function percent(over, under) {
  const found = quotient(over, under, 100);
  return found === null ? "unknown" : `${found.toFixed(1)} %`;
}

// Moments of one lane as columns of the drawing: however long it lasts, the page stays small.

// An answer stands for the seconds before it, back to the one before, at most so many.
const HOLDS_S = 2.5;

/** Mean probabilities of each of `count` columns between `from` and `to`; null where nothing was answered. */
export function bins(moments, from, to, count, labels) {
  const sums = Array.from({ length: count }, () => null);
  const columns = count / (to - from);
  let before = -Infinity;
  for (const { time, p } of moments) {
    const start = (Math.max(before, time - HOLDS_S) - from) * columns;
    const end = (time - from) * columns;
    before = time;
    if (end <= 0 || start >= count || p.length !== labels) continue;
    for (let at = Math.max(0, Math.floor(start)); at < Math.min(count, end); at += 1) {
      const weight = Math.min(at + 1, end) - Math.max(at, start);
      sums[at] ??= { p: new Array(labels).fill(0), weight: 0 };
      sums[at].weight += weight;
      p.forEach((value, place) => { sums[at].p[place] += weight * (value ?? 0); });
    }
  }
  return sums.map((each) => each && each.p.map((sum) => sum / each.weight));
}

/** Neighbours that say the same, as shares of the width; none where the likeliest is below `least`. */
export function marks(found, least) {
  const best = found.map((p) => {
    const most = p ? Math.max(...p) : 0;
    return most && most >= least ? p.indexOf(most) : -1;
  });
  return runs(best).filter(({ value }) => value >= 0).map(({ value, first, last }) => {
    const sum = found.slice(first, last).reduce((so, p) => so + p[value], 0);
    return { label: value, p: sum / (last - first), start: first / found.length, end: last / found.length };
  });
}

/** Where anything was answered at all. */
export function seen(found) {
  return runs(found.map(Boolean)).filter(({ value }) => value)
    .map(({ first, last }) => ({ start: first / found.length, end: last / found.length }));
}

/** The probabilities one on another: an SVG path for each label, 100 high and a unit wide a column. */
export function stack(found, labels) {
  const paths = new Array(labels).fill("");
  for (const { value, first, last } of runs(found.map(Boolean))) {
    if (!value) continue;
    const here = found.slice(first, last);
    let below = here.map(() => 0);
    for (let place = 0; place < labels; place += 1) {
      const above = here.map((p, at) => below[at] + p[place]);
      const line = (heights) => {
        const points = heights.map((height, at) => [first + at + 0.5, 100 - 100 * height]);
        return [[first, points[0][1]], ...points, [last, points.at(-1)[1]]];
      };
      const outline = [...line(above), ...line(below).reverse()];
      paths[place] += `M${outline.map(([x, y]) => `${x} ${y.toFixed(1)}`).join("L")}z`;
      below = above;
    }
  }
  return paths;
}

function runs(values) {
  const found = [];
  values.forEach((value, at) => {
    if (found.at(-1)?.value === value && at) found.at(-1).last = at + 1;
    else found.push({ value, first: at, last: at + 1 });
  });
  return found;
}

// Moments of one lane as columns of the drawing: however long it lasts, the page stays small.

// As long as a lane has one answer, it stands for so many seconds around it.
const USUAL_S = 2;
// Neighbours that are this many times further apart than usual have a gap between them.
const GAP = 1.6;

/** Mean probabilities of each of `count` columns between `from` and `to`; null where nothing was answered. */
export function bins(moments, from, to, count, labels) {
  const sums = Array.from({ length: count }, () => null);
  const columns = count / (to - from);
  const sides = halves(moments);
  moments.forEach(({ time, p }, place) => {
    const start = (time - sides[place] - from) * columns;
    const end = (time + sides[place + 1] - from) * columns;
    if (end <= 0 || start >= count || p.length !== labels) return;
    for (let at = Math.max(0, Math.floor(start)); at < Math.min(count, end); at += 1) {
      const weight = Math.min(at + 1, end) - Math.max(at, start);
      sums[at] ??= { p: new Array(labels).fill(0), weight: 0 };
      sums[at].weight += weight;
      p.forEach((value, label) => { sums[at].p[label] += weight * (value ?? 0); });
    }
  });
  return sums.map((each) => each && each.p.map((sum) => sum / each.weight));
}

/** How far answers reach to the left of each, and of the last one to the right: half way to their neighbours. */
function halves(moments) {
  const gaps = moments.slice(1).map(({ time }, place) => time - moments[place].time);
  const order = gaps.filter((gap) => gap > 0).sort((a, b) => a - b);
  const usual = order[Math.floor(order.length / 2)] ?? USUAL_S;
  return [usual, ...gaps, usual].map((gap) => (gap > GAP * usual ? usual : gap) / 2);
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

// What /metrics tells, in the text form of Prometheus.

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Each line of a name: its labels and its value. */
export class Measures {
  #lines = new Map();

  constructor(text) {
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      if (name === undefined) continue;
      const known = Object.fromEntries([...labels.matchAll(LABEL)].map(([, label, told]) => [label, told]));
      this.#lines.set(name, [...(this.#lines.get(name) ?? []), { labels: known, value: Number(value) }]);
    }
  }

  /** All lines of a name. */
  all(name) {
    return this.#lines.get(name) ?? [];
  }

  /** The sum over those lines of a name that have these labels. */
  sum(name, labels = {}) {
    const fits = (line) => Object.entries(labels).every(([label, value]) => line.labels[label] === value);
    return this.all(name).filter(fits).reduce((sum, line) => sum + line.value, 0);
  }
}

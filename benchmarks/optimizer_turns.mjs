// Runs conversions of one model in TF.js in turns; the same in Node and in the browser.

// The numbers of a linear congruential generator, as every conversion is to get the same.
function randomTensor(tf, shape, dtype, seed, highest) {
  let state = seed;
  const next = () => (state = (Math.imul(1664525, state) + 1013904223) >>> 0) / 2 ** 32;
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === 'float32') {
    return tf.tensor(Float32Array.from({length: size}, () => highest * next()), shape);
  }
  const words = Int32Array.from({length: size}, () => 1 + Math.floor(next() * 99));
  return tf.tensor(words, shape, dtype);
}

// What the signature calls an input or output, and its node; by the nodes, whose names both tools
// keep, as the official one puts names of its own in place of some keys.
function nodeNames(told, nodes) {
  const entries = Object.entries(told ?? {}).map(([key, {name}]) => [key, name]);
  const found = entries.length ? entries : nodes.map((name) => [name, name]);
  return found.sort(([, a], [, b]) => a < b ? -1 : 1);
}

// Where a placeholder leaves the size open: of a picture's sides, of a text or signal.
const [BATCH, SIDE, LENGTH] = [1, 224, 32];

function inputTensor(tf, {shape, dtype}, seed, highest) {
  if (!shape?.length) {
    // Scalars, whose shape old graphs leave out: what dropout keeps, or whether to train.
    return tf.scalar(dtype === 'bool' ? false : 1, dtype);
  }
  const any = shape.length === 4 ? SIDE : LENGTH;
  const sizes = shape.map((size, axis) => size > 0 ? size : axis === 0 ? BATCH : any);
  return randomTensor(tf, sizes, dtype, seed, highest);
}

async function loaded(tf, handler, {highest}) {
  const model = await tf.loadGraphModel(handler);
  const outputs = nodeNames(model.modelSignature?.outputs, model.outputNodes);
  const inputs = nodeNames(model.modelSignature?.inputs, model.inputNodes);
  const told = Object.fromEntries(model.inputs.map((input) => [input.name, input]));
  const fed = {};
  inputs.forEach(([, name], i) => {
    fed[name] = inputTensor(tf, told[name] ?? told[name.replace(/:0$/, '')], i + 1, highest);
  });
  const names = outputs.map(([, name]) => name);
  let dynamic = false;
  const call = async () => {
    if (!dynamic) {
      try {
        return [model.execute(fed, names)].flat();
      } catch (error) {
        // It tells so before anything runs.
        if (!String(error.message).includes('executeAsync')) throw error;
        dynamic = true;
      }
    }
    return [await model.executeAsync(fed, names)].flat();
  };
  return {call, keys: outputs.map(([key]) => key)};
}

// An answer counts as there once its numbers are.
async function timed(variant, processor = () => 0) {
  const [since, used] = [performance.now(), processor()];
  const found = await variant.call();
  const numbers = await Promise.all(found.map((tensor) => tensor.data()));
  const [time, work] = [performance.now() - since, processor() - used];
  found.forEach((tensor) => tensor.dispose());
  return {time: time / 1000, work, numbers};
}

async function kernelsOf(tf, variant) {
  const counts = {};
  const {kernels} = await tf.profile(variant.call);
  for (const {name} of kernels) {
    // TF.js tells of fused operations twice: of the kernel, and of the operation that calls it.
    if (!name.endsWith('__op')) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

// The largest difference of any output, relative to the largest number of that output.
function difference(answers, reference) {
  let worst = 0;
  for (const [i, wanted] of reference.entries()) {
    const found = answers[i];
    if (found.length !== wanted.length) return Infinity;
    let [largest, apart] = [0, 0];
    for (let j = 0; j < wanted.length; j++) {
      largest = Math.max(largest, Math.abs(wanted[j]));
      apart = Math.max(apart, Number.isNaN(found[j] - wanted[j]) ? Infinity : Math.abs(found[j] - wanted[j]));
    }
    worst = Math.max(worst, apart === 0 ? 0 : apart / largest);
  }
  return worst;
}

/**
 * Loads conversions of one model and runs them in turns.
 *
 * @param tf the TF.js module, its backend set.
 * @param handlers an IO handler for each conversion, by name.
 * @param options {highest: the end of the range of values, seconds: how long to go on, most: seconds
 *     of a run from which on nothing is timed, rounds: the most}.
 * @param processor gives the seconds that the process has used of the processor, where that is known.
 * @return by name: {kernels: counts by kernel, times: seconds by round, work: of the processor,
 *     difference: to the first}.
 */
export async function inTurns(tf, handlers, options, processor) {
  const found = {};
  const variants = {};
  let reference = null;
  let longest = 0;
  for (const [name, handler] of Object.entries(handlers)) {
    try {
      const variant = await loaded(tf, handler, options);
      const first = await timed(variant);
      // The first run compiles; the second tells how long one takes.
      const {time} = first.time < 4 * options.most ? await timed(variant) : first;
      longest = Math.max(longest, time);
      reference ??= first.numbers;
      found[name] = {
        keys: variant.keys, kernels: await kernelsOf(tf, variant), times: [], work: [],
        difference: difference(first.numbers, reference),
      };
      variants[name] = variant;
    } catch (error) {
      found[name] = {error: String(error?.message ?? error)};
    }
  }
  const names = Object.keys(variants);
  if (longest > options.most) return found;
  const until = performance.now() + options.seconds * 1000;
  for (let round = 0; round < options.rounds; round++) {
    // At least three, else the median is one run.
    if (round >= 3 && performance.now() > until) break;
    // Who comes first changes: memory that one leaves behind meets the next.
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length];
      const {time, work} = await timed(variants[name], processor);
      found[name].times[round] = time;
      found[name].work[round] = work;
    }
  }
  return found;
}

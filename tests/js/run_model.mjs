// A long-lived process that runs models in the real TF.js: one JSON object a line on standard
// input is a job, one a line on standard output its answer. See jobs.mjs for the jobs.
//
// {"id": 1, "op": "layers", "path": "/abs/model.json", "backend": "cpu", "calls": [[TENSOR, ...]]}
// -> {"id": 1, "ok": true, "calls": [[TENSOR, ...]], ...} or {"id": 1, "ok": false, "error": {...}}

import {createInterface} from 'node:readline';
import {Worker} from 'node:worker_threads';

// Of processor time, which a loaded machine does not stretch: TF.js hangs in endless loops. For
// a promise that nobody keeps there is a limit of time by the clock, so many times longer.
const TIMEOUT_SECONDS = 20;
const CLOCK_FACTOR = 5;
const CHECK_MILLISECONDS = 100;
// A damaged model can make the loader allocate for ever: let the thread die of it, not the machine.
const LIMITS = {maxOldGenerationSizeMb: 3072};

function startWorker() {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url),
                            {resourceLimits: LIMITS, stdout: true});
  worker.stdout.pipe(process.stderr);
  const ready = new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return {worker, ready};
}

// Gives the job to the thread, and answers for it when it hangs or dies.
async function runInWorker({worker, ready}, job) {
  await ready;
  const seconds = job.timeout ?? TIMEOUT_SECONDS;
  const [start, used] = [performance.now(), process.cpuUsage()];
  return new Promise((resolve) => {
    const fail = (name, message) => {
      clearInterval(timer);
      worker.terminate();
      resolve({id: job.id, ok: false, ended: true, error: {name, message, stack: ''}});
    };
    const timer = setInterval(() => {
      const {user, system} = process.cpuUsage(used);
      const clock = (performance.now() - start) / 1000;
      if ((user + system) / 1e6 > seconds || clock > CLOCK_FACTOR * seconds) {
        fail('Timeout', `TF.js did not answer within ${seconds} s`);
      }
    }, CHECK_MILLISECONDS);
    worker.once('error', (error) => fail(error.code ?? error.name, error.message));
    worker.once('message', (answer) => {
      clearInterval(timer);
      worker.removeAllListeners('error');
      resolve(answer);
    });
    worker.postMessage(job);
  });
}

let current = startWorker();
for await (const line of createInterface({input: process.stdin, crlfDelay: Infinity})) {
  const job = JSON.parse(line);
  const answer = await runInWorker(current, job);
  process.stdout.write(JSON.stringify(answer) + '\n');
  // Registered classes stay in TF.js's global maps: the next job must not see them.
  if (job.custom && !answer.ended) await current.worker.terminate();
  if (job.custom || answer.ended) current = startWorker();
}
await current.worker.terminate();

import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { HostLimitError, InterruptedError } from "../../lib/errors.ts";
import type { FromWorker, Job } from "../../lib/workers/messages.ts";
import { startWorkers, WorkerProcess } from "../../lib/workers/worker_process.ts";
import { until } from "../server/running_server.ts";
import { childrenOf, isAlive } from "./alive.ts";

/** A server's worker, which is ready when it listens. */
function serverJob(endpoint: string): Job {
  const settings = { backlog: 1, idleTimeoutMs: 0, maxMessageBytes: 1000, maxPendingBytes: 1000 };
  return {
    role: "server",
    details: { endpoints: [endpoint], settings: { ...settings, alpn: [] }, run: {}, startNs: 0 },
  };
}

interface Report {
  readonly total: { readonly open: number };
}

function collecting() {
  const messages: FromWorker<Report>[] = [];
  const ends: string[] = [];
  return {
    messages,
    ends,
    handlers: {
      message: (message: FromWorker<Report>) => messages.push(message),
      ended: (reason: string) => ends.push(reason),
    },
  };
}

test("a worker does its job, says so each second, and leaves when it is released", async () => {
  const { messages, ends, handlers } = collecting();
  const { worker, report } = await WorkerProcess.start(serverJob("tcp://127.0.0.1:0"), handlers);
  assert.ok(isAlive(worker.pid) && worker.pid !== process.pid);
  assert.equal(report.total.open, 0);
  await until("it has reported twice", () => messages.length >= 2);
  assert.deepEqual(messages.map(({ type }) => type).slice(0, 2), ["report", "report"]);
  worker.send({ type: "stop" });
  await until("it is done", () => messages.at(-1)?.type === "done");
  assert.ok(isAlive(worker.pid), "it waits to be released");
  worker.release();
  await worker.gone;
  assert.ok(!isAlive(worker.pid));
  assert.deepEqual(ends, []);
  // Nobody listens any more.
  worker.send({ type: "stop" });
  worker.release();
  worker.kill();
}, 20_000);

test("ended() tells what ended a worker", async () => {
  for (const signal of ["SIGKILL", "SIGABRT"] as const) {
    const { ends, handlers } = collecting();
    const { worker } = await WorkerProcess.start(serverJob("tcp://127.0.0.1:0"), handlers);
    // What a terminal sends to the whole group is not for the worker.
    for (const ignored of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.kill(worker.pid, ignored);
    }
    await Bun.sleep(50);
    assert.ok(isAlive(worker.pid));
    process.kill(worker.pid, signal);
    await worker.gone;
    assert.deepEqual(ends, [signal]);
  }
}, 20_000);

test("a worker that stands still is ended", async () => {
  const { ends, handlers } = collecting();
  const job = serverJob("tcp://127.0.0.1:0");
  const limits = { startMs: 20_000, silenceMs: 600 };
  const { worker } = await WorkerProcess.start(job, handlers, limits);
  worker.send({ type: "start", atNs: 0 });
  process.kill(worker.pid, "SIGSTOP");
  await worker.gone;
  assert.match(ends.join(), /^no sign of life for \d+ s$/);
}, 20_000);

test("start() throws what keeps a worker from beginning, and leaves none behind", async () => {
  const { handlers } = collecting();
  await assert.rejects(WorkerProcess.start(serverJob("tcp://192.0.2.1:1"), handlers), (error) => {
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, /^cannot listen on tcp:\/\/192\.0\.2\.1:1/);
    return true;
  });
  // A bug is no error of the user's.
  await assert.rejects(WorkerProcess.start({ role: "client", details: {} }, handlers), (error) => {
    assert.ok(error instanceof Error && !(error instanceof HostLimitError));
    return true;
  });
});

test("start() does not wait for a worker whose job cannot be sent", async () => {
  const { handlers } = collecting();
  const job = { role: "server", details: { run: () => {} } } as const;
  await assert.rejects(WorkerProcess.start(job, handlers), /its job cannot be sent: /);
  assert.deepEqual(childrenOf(process.pid), []);
});

test("start() takes a signal to the whole group for what it is", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const { handlers } = collecting();
    const starting = WorkerProcess.start(serverJob("tcp://127.0.0.1:0"), handlers);
    // It is not yet there to ignore it.
    for (const pid of childrenOf(process.pid)) process.kill(pid, signal);
    await assert.rejects(starting, (error) => {
      assert.ok(error instanceof InterruptedError);
      assert.equal(error.message, `interrupted before it began (${signal})`);
      return true;
    });
  }
});

test("startWorkers() starts all or none", async () => {
  const pids: number[] = [];
  const { handlers } = collecting();
  const good = serverJob("tcp://127.0.0.1:0");
  const started = await startWorkers<Report>([good, good], () => handlers);
  pids.push(...started.map(({ worker }) => worker.pid));
  assert.equal(new Set(pids).size, 2);
  for (const { worker } of started) worker.kill();
  await Promise.all(started.map(({ worker }) => worker.gone));
  assert.ok(!pids.some(isAlive));

  const jobs = [good, serverJob("tcp://192.0.2.1:1"), good];
  await assert.rejects(startWorkers<Report>(jobs, () => handlers), HostLimitError);
  assert.deepEqual(childrenOf(process.pid), []);
}, 20_000);

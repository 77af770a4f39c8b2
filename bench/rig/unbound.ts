import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { findFreePorts } from "./free_ports.ts";

const startTimeoutMs = 15_000;
const lifetimeMs = 15 * 60_000;

/** What is asked, and answered from the configuration alone. */
export const queryName = "example.test";

/**
 * A DNS server on loopback that answers over UDP, TCP and TLS from its own data: nothing it is asked
 * leaves this machine.
 */
export class Unbound implements AsyncDisposable {
  private constructor(
    private readonly child: Child,
    /** For UDP and TCP. */
    readonly port: number,
    readonly tlsPort: number,
    /** The certificate, which is its own authority. */
    readonly certFile: string,
  ) {}

  /** @throws {Error} `unbound` or `openssl` is not installed, or does not start. */
  static async start(benchmark: Benchmark): Promise<Unbound> {
    for (const program of ["unbound", "openssl", "setpriv"]) requireProgram(program);
    const directory = join(benchmark.directory, "unbound");
    mkdirSync(directory, { recursive: true });
    const certFile = join(directory, "cert.pem");
    const keyFile = join(directory, "key.pem");
    makeCertificate(benchmark, certFile, keyFile);
    const port = findFreePorts(2, 15_353);
    const tlsPort = port + 1;
    const configFile = join(directory, "unbound.conf");
    writeFileSync(configFile, configuration({ directory, port, tlsPort, certFile, keyFile }));
    const listening = Promise.withResolvers<void>();
    const command = ["unbound", "-d", "-c", configFile];
    benchmark.report.command(command);
    // Should the benchmarks be killed, it ends with them.
    const child = new Child(["setpriv", "--pdeathsig", "SIGKILL", "--", ...command], {
      timeoutMs: lifetimeMs,
      onLine: (line) => {
        if (line.includes("start of service")) listening.resolve();
      },
    });
    void child.ended.then(() =>
      listening.reject(new Error(`unbound did not start:\n${child.lastWords}`))
    );
    const deadline = setTimeout(
      () => listening.reject(new Error(`unbound did not start within ${startTimeoutMs} ms`)),
      startTimeoutMs,
    );
    try {
      await listening.promise;
      return new Unbound(child, port, tlsPort, certFile);
    } catch (error) {
      child.kill();
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  get pid(): number {
    return this.child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop();
  }
}

/** @throws {Error} it is not installed. */
export function requireProgram(name: string): void {
  if (Bun.which(name) === null) {
    throw new Error(`${name} is not installed (Debian: apt-get install ${name})`);
  }
}

function makeCertificate(benchmark: Benchmark, certFile: string, keyFile: string): void {
  const command = [
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-nodes", "-days", "2", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-keyout", keyFile, "-out", certFile],
  ];
  benchmark.report.command(command);
  const { exitCode, stderr } = Bun.spawnSync(command, { stdin: "ignore", timeout: 30_000 });
  if (exitCode !== 0) throw new Error(`openssl made no certificate:\n${stderr}`);
}

interface Configuration {
  readonly directory: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly certFile: string;
  readonly keyFile: string;
}

/** One thread: the other core is the load generator's. */
function configuration({ directory, port, tlsPort, certFile, keyFile }: Configuration): string {
  return `server:
  interface: 127.0.0.1@${port}
  interface: 127.0.0.1@${tlsPort}
  port: ${port}
  tls-port: ${tlsPort}
  tls-service-pem: "${certFile}"
  tls-service-key: "${keyFile}"
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: yes
  module-config: "iterator"
  local-zone: "test." static
  local-data: "${queryName}. 3600 IN A 192.0.2.1"
  num-threads: 1
  incoming-num-tcp: 1000
  username: ""
  chroot: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
remote-control:
  control-enable: no
`;
}

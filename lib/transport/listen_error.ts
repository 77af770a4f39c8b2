import { HostLimitError, messageOf } from "../errors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { codeOf } from "./native_failure.ts";

/** The error for an endpoint that could not be bound, from what the system said about it. */
export function listenError(endpoint: Endpoint, cause: unknown): HostLimitError {
  const where = `cannot listen on ${formatEndpoint(endpoint)}: `;
  switch (codeOf(cause)) {
    case "EADDRINUSE":
      return new HostLimitError(
        `${where}port ${endpoint.port} is in use; stop what uses it or choose another port`,
        { cause },
      );
    case "EACCES":
    case "EPERM":
      return new HostLimitError(
        `${where}this user may not bind port ${endpoint.port}; choose a port above 1023`,
        { cause },
      );
    case "EADDRNOTAVAIL":
      return new HostLimitError(
        `${where}${endpoint.host} is not an address of this host; ` +
          `give one of its addresses, or none for all of them`,
        { cause },
      );
    case "EMFILE":
    case "ENFILE":
      return new HostLimitError(
        `${where}no file descriptor is left; raise the limit (ulimit -n)`,
        { cause },
      );
    default:
      return new HostLimitError(
        `${where}${messageOf(cause)}; give an address of this host, or none for all of them`,
        { cause },
      );
  }
}

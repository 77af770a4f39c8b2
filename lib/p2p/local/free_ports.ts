import { connect } from "node:net";

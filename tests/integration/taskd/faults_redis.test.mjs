import { testServerFaults } from "./faults.mjs";

testServerFaults("Redis");

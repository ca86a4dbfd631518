// host.js - where the application around Taskwire says who the person is. This file is a place
// to put yours: replace it in the folder that the gateway serves (WEB_ROOT).
//
//   window.taskwireHost = {
//     // A valid token, asked for anew for each connection; null: nobody is signed in.
//     getToken: async () => {
//       const answer = await fetch("/session/token", { credentials: "include" });
//       if (answer.status === 401) return null;
//       if (!answer.ok) throw new Error(`${answer.status}`);   // away: asked again later
//       return answer.text();
//     },
//     // The person asked to be signed out here (optional).
//     signOut: () => location.assign("/session/end"),
//   };
//
// Without it the page offers the demo's sign-in, where the gateway has that (DEV_LOGIN).

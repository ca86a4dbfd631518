import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import io.socket.engineio.client.transports.Polling;
import io.socket.engineio.client.transports.WebSocket;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.json.JSONObject;

/** The Java client against the echo application or a gateway. */
public final class Client {
    private static final int TIMEOUT = 15;
    private static int count, failed;
    private static String url, token;
    private static String[] transports;

    private static void check(String name, boolean passed, Object detail) {
        count++;
        if (!passed) failed++;
        System.out.println((passed ? "ok " : "not ok ") + count + " - " + name + (passed ? "" : " (" + detail + ")"));
        System.out.flush();
    }

    private static BlockingQueue<Object[]> collect(Socket socket, String name) {
        BlockingQueue<Object[]> seen = new LinkedBlockingQueue<>();
        socket.on(name, seen::add);
        return seen;
    }

    private static Object[] take(BlockingQueue<Object[]> queue) throws Exception {
        Object[] got = queue.poll(TIMEOUT, TimeUnit.SECONDS);
        if (got == null) throw new Exception("nothing came within " + TIMEOUT + " s");
        return got;
    }

    private static Object[] call(Socket socket, String name, Object... args) throws Exception {
        CompletableFuture<Object[]> answer = new CompletableFuture<>();
        socket.emit(name, args, (Ack) answer::complete);
        return answer.get(TIMEOUT, TimeUnit.SECONDS);
    }

    private static Socket open(String namespace, String secret) {
        IO.Options options = new IO.Options();
        options.forceNew = true;
        options.reconnection = false;
        options.transports = transports;
        options.auth = Collections.singletonMap("token", secret);
        return IO.socket(URI.create(url + namespace), options);
    }

    private static void echo() throws Exception {
        Socket socket = open("/", "abc");
        BlockingQueue<Object[]> auth = collect(socket, "auth"), back = collect(socket, "message-back");
        socket.connect();
        check("the auth payload arrives", ((JSONObject) take(auth)[0]).getString("token").equals("abc"), "");
        socket.emit("message", "text", 1, true, new JSONObject().put("a", 2.5), "пойду ☃ 𝄞");
        Object[] got = take(back);
        check("an event comes back", got.length == 5 && got[0].equals("text") && got[1].equals(1) && got[2].equals(true)
            && got[4].equals("пойду ☃ 𝄞"), Arrays.toString(got));
        byte[] binary = {0, 1, -2, -1};
        socket.emit("message", "bytes", binary);
        got = take(back);
        check("binary comes back", Arrays.equals((byte[]) got[1], binary), Arrays.toString(got));
        got = call(socket, "message-with-ack", 1, "two", binary);
        check("an acknowledgement carries its arguments", got.length == 3 && got[0].equals(1) && got[1].equals("two")
            && Arrays.equals((byte[]) got[2], binary), Arrays.toString(got));
        List<Object> order = new ArrayList<>();
        for (int i = 0; i < 200; i++) socket.emit("message", i);
        for (int i = 0; i < 200; i++) order.add(take(back)[0]);
        boolean sorted = true;
        for (int i = 0; i < 200; i++) sorted &= order.get(i).equals(i);
        check("two hundred events keep their order", sorted, order);
        socket.disconnect();

        Socket custom = open("/custom", "abc");
        BlockingQueue<Object[]> customAuth = collect(custom, "auth");
        custom.connect();
        check("a second namespace opens", ((JSONObject) take(customAuth)[0]).getString("token").equals("abc"), "");
        custom.disconnect();
        Socket random = open("/random", "abc");
        BlockingQueue<Object[]> refused = collect(random, Socket.EVENT_CONNECT_ERROR);
        random.connect();
        check("an unknown namespace is refused", take(refused)[0].toString().contains("Invalid namespace"), "");
        random.disconnect();
    }

    private static void gateway(String taskId) throws Exception {
        Socket socket = open("/", token);
        BlockingQueue<Object[]> state = collect(socket, "task:state"), added = collect(socket, "task:event_added");
        BlockingQueue<Object[]> connected = collect(socket, Socket.EVENT_CONNECT);
        socket.connect();
        take(connected);
        Object[] answer = call(socket, "task:join", new JSONObject().put("taskId", taskId));
        check("a join is acknowledged", ((JSONObject) answer[0]).getBoolean("ok"), Arrays.toString(answer));
        check("the task's state came", ((JSONObject) take(state)[0]).getString("taskId").equals(taskId), "");
        answer = call(socket, "dashboard:join", new JSONObject());
        check("a dashboard join is acknowledged", ((JSONObject) answer[0]).getBoolean("ok"), Arrays.toString(answer));
        System.out.println("# joined");
        System.out.flush();
        int last = 0;
        boolean inOrder = true;
        for (String text = ""; !text.equals("done");) {
            JSONObject event = (JSONObject) take(added)[0];
            inOrder &= last == 0 || event.getInt("seq") == last + 1;
            last = event.getInt("seq");
            text = event.getJSONObject("event").getJSONObject("payload").optString("text");
        }
        check("live events come without gap or repeat", inOrder, last);
        socket.disconnect();
        Socket stranger = open("/", "bad");
        BlockingQueue<Object[]> refused = collect(stranger, Socket.EVENT_CONNECT_ERROR);
        stranger.connect();
        check("a bad token is refused", take(refused).length > 0, "");
        stranger.disconnect();
    }

    public static void main(String[] args) {
        url = args[0];
        transports = args[1].equals("websocket") ? new String[] {WebSocket.NAME}
            : args[1].equals("polling") ? new String[] {Polling.NAME} : new String[] {Polling.NAME, WebSocket.NAME};
        try {
            if (args[2].equals("echo")) {
                echo();
            } else {
                token = args[3];
                gateway(args[4]);
            }
        } catch (Exception e) {
            check("the scenario goes through", false, e);
        }
        System.out.println("1.." + count);
        System.exit(failed == 0 ? 0 : 1);
    }
}

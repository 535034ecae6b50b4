package kairos.bench;

import java.nio.ByteBuffer;

/** A customer's state, and what one posting does to it: the rules of tests/bench/jobj/logic.py. */
final class Customer {
    static final long[] LEVELS = {200_000L, 5_000_000L, 20_000_000L, 1_000_000_000L};
    static final int HELD = 98;
    static final double MONTH = 30 * 86_400_000.0, QUARTER = 90 * 86_400_000.0;
    static final int LEAST = 10, DEVIATIONS = 4;
    static final int BYTES = 8 * 9 + 4;

    long at, count, aum;
    double in30, out30, in90, out90, mean, squares;
    int tier;

    /** Whether an amount is far above all before it. */
    boolean extreme(double size) {
        return count >= LEAST && size > mean + DEVIATIONS * Math.sqrt(squares / count);
    }

    /** All flows fade to this instant, then the amount joins those of its way. */
    void flow(long now, long amount, boolean credit) {
        long ahead = now - at;
        if (ahead > 0) {
            double month = Math.exp(-ahead / MONTH), quarter = Math.exp(-ahead / QUARTER);
            in30 *= month;
            out30 *= month;
            in90 *= quarter;
            out90 *= quarter;
            at = now;
        }
        if (credit) {
            in30 += amount;
            in90 += amount;
        } else {
            out30 += amount;
            out90 += amount;
        }
    }

    /** Mean and squared distances, one amount further. */
    void count(double size) {
        count++;
        double distance = size - mean;
        mean += distance / count;
        squares += distance * (size - mean);
    }

    /** The tier of a balance, for a customer who has this one. */
    static int tier(int now, long aum) {
        while (now < LEVELS.length && aum >= LEVELS[now]) {
            now++;
        }
        while (now > 0 && aum * 100 < LEVELS[now - 1] * HELD) {
            now--;
        }
        return now;
    }

    byte[] bytes() {
        return ByteBuffer.allocate(BYTES)
                .putLong(at).putDouble(in30).putDouble(out30).putDouble(in90).putDouble(out90)
                .putDouble(mean).putDouble(squares).putLong(count).putLong(aum).putInt(tier)
                .array();
    }

    static Customer of(byte[] raw) {
        Customer one = new Customer();
        if (raw != null) {
            ByteBuffer in = ByteBuffer.wrap(raw);
            one.at = in.getLong();
            one.in30 = in.getDouble();
            one.out30 = in.getDouble();
            one.in90 = in.getDouble();
            one.out90 = in.getDouble();
            one.mean = in.getDouble();
            one.squares = in.getDouble();
            one.count = in.getLong();
            one.aum = in.getLong();
            one.tier = in.getInt();
        }
        return one;
    }
}

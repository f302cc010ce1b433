package shop;

import java.util.HashMap;
import java.util.Map;

public class Counter {
    private final Map<String, Integer> counts = new HashMap<>();

    public void add(String name) {
        counts.merge(name, 1, Integer::sum);
    }

    public static void main(String[] args) {
        Counter counter = new Counter();
        for (String arg : args) counter.add(arg);
        System.out.println(counter.counts);
    }
}

public final class RealWork { public static void main(String[] args) {} }
